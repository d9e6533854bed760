import Foundation
import TestSupport

/// Steady load for a long while with a kill every ten seconds: nothing may be lost and no process may grow.
struct Soak {
    private static let betweenKills: Duration = .seconds(10)
    /// Messages posted at once to find out what the pipeline does at most.
    private static let trial = 60_000

    private let servers: Servers
    private let source: Source
    private var random: SplitMix64

    init(_ servers: Servers, _ source: Source, seed: UInt64) {
        self.servers = servers
        self.source = source
        random = SplitMix64(seed: seed)
    }

    /// - Parameter rate: messages a second; `nil`: half of what it does at most, measured first.
    /// - Returns: whether nothing was lost and nothing grew.
    func run(minutes: Double, rate: Int?) async throws -> Bool {
        let rate = if let rate { rate } else { try await topRate() / 2 }
        let oracle = try await measure()
        let rig = try await source.rig(on: servers, .restartingAtOnce)
        let held: Bool
        do {
            held = try await run(rig, oracle, minutes: minutes, rate: rate)
        } catch {
            await rig.end()
            throw error
        }
        await rig.end()
        return held
    }

    private func run(_ rig: Rig, _ oracle: Oracle, minutes: Double, rate: Int) async throws -> Bool {
        try rig.start()
        _ = try await rig.running("fetch")
        print("\(minutes) minutes at \(rate) messages a second, with a kill every 10 s; memory in MB\n")
        print(Memory.header)
        var memory = Memory()
        var (random, kills) = (random, 0)
        let start = ContinuousClock.now
        let end = start + .seconds(minutes * 60)
        try await rig.feeding(rate: Double(rate)) { feeder in
            var next = start + Self.betweenKills
            while next < end {
                try await Task.sleep(until: next)
                memory.add(try await rig.residentMemory(), after: .now - start)
                if kills.isMultiple(of: max(1, Int(minutes / 5) * 3)) {
                    let behind = feeder.posted - (try await rig.count("select count(*) from messages"))
                    memory.printLast(posted: feeder.posted, behind: behind)
                }
                try await rig.killRandomWorker(&random)
                kills += 1
                next = max(next + Self.betweenKills, .now)
            }
        }
        let verdict = try await oracle.judge(rig, within: .seconds(300))
        let isFlat = memory.printJudgement()
        let holds = verdict.holds(expectingDead: 0)
        print(
            """

            \(rig.posted.count) messages in \(minutes) minutes at \(rate) a second, \(kills) kills: lost \(verdict.lost), \
            surplus \(verdict.surplus), dead \(verdict.dead), queued \(verdict.queued), \
            books \(verdict.balances ? "ok" : "off"), drained in \(String(format: "%.1f", verdict.recovery.inSeconds)) s \
            \(verdict.note)
            \(holds && isFlat ? "holds" : "FAILS")\(isFlat ? "" : ": memory grew")
            """
        )
        return holds && isFlat
    }

    /// What the pipeline makes of a message of each kind.
    private func measure() async throws -> Oracle {
        var oracle = Oracle()
        let rig = try await source.rig(on: servers)
        try rig.start()
        for kind in Feeder.Kind.allCases { try await rig.post(kind) }
        try await oracle.learn(from: rig)
        await rig.end()
        return oracle
    }

    /// Messages a second from Discord to rows without a fault: what is there when it starts, until it is stored.
    private func topRate() async throws -> Int {
        let rig = try await source.rig(on: servers)
        let feeder = Feeder(rig.discord, rig.channels, rate: .infinity)
        feeder.start()
        try await eventually("a history", within: .seconds(120)) { feeder.posted >= Self.trial }
        _ = await feeder.stop()
        let total = try await rig.sourceIDs().count
        try rig.start()
        let warm = total / 6
        try await rig.untilStored(warm)
        let (from, start) = (await rig.stored(), ContinuousClock.now)
        try await rig.untilStored(total)
        let rate = Int(Double(total - from) / (ContinuousClock.now - start).inSeconds)
        await rig.end()
        print("at most \(rate) messages a second from Discord to rows")
        return rate
    }
}

/// The memory of each process over time.
private struct Memory {
    static let header = "  MINUTE" + columns.map { cell($0) }.joined() + cell("posted") + cell("behind")
    /// `broker` is RabbitMQ, which is not ours but part of a managed pipeline.
    private static let columns = ["supervisor", "fetch", "parse", "store", "deadletter", "broker"]

    private var samples: [(after: Duration, megabytes: [String: Double])] = []

    mutating func add(_ megabytes: [String: Double], after: Duration) { samples.append((after, megabytes)) }

    func printLast(posted: Int, behind: Int) {
        guard let last = samples.last else { return }
        let minute = String(format: "%8.1f", last.after.inSeconds / 60)
        let cells = Self.columns.map { Self.cell(last.megabytes[$0].map { String(format: "%.1f", $0) } ?? "-") }
        print(minute + cells.joined() + Self.cell("\(posted)") + Self.cell("\(behind)"))
        fflush(nil)
    }

    /// Ours are flat when the last third needs no more than the one before, but for a tenth and what a page more in
    /// hand takes. Three thirds, because caches fill in the first. RabbitMQ's memory rises and falls with its logs, over
    /// minutes, so its peaks are compared, and those of a short run tell nothing.
    ///
    /// - Returns: whether every process is.
    func printJudgement() -> Bool {
        let third = samples.count / 3
        guard third > 0 else { return true }
        print("\n" + Self.row("PROCESS", ["1st third", "2nd third", "3rd third", "highest"]))
        var isFlat = true
        for name in Self.columns {
            let thirds = (0..<3).map { part -> [Double] in
                let range = part == 2 ? samples[(2 * third)...] : samples[part * third..<(part + 1) * third]
                return range.compactMap { $0.megabytes[name] }.sorted()
            }
            let isBroker = name == "broker"
            let values = thirds.map { (isBroker ? $0.last : $0.dropFirst($0.count / 2).first) ?? 0 }
            let numbers = (values + [thirds.joined().max() ?? 0]).map { String(format: "%.1f", $0) }
            let limit = isBroker ? max(values[0], values[1]) * 1.2 + 50 : values[1] * 1.1 + 8
            let isJudged = !isBroker || samples.last.map { $0.after >= .seconds(600) } ?? false
            let grows = isJudged && values[2] > limit
            isFlat = isFlat && !grows
            print(Self.row(name, numbers) + (grows ? "  grows" : isJudged ? "  flat" : "  too short to tell"))
        }
        return isFlat
    }

    private static func row(_ name: String, _ cells: [String]) -> String {
        name.padding(toLength: 12, withPad: " ", startingAt: 0) + cells.map { cell($0) }.joined()
    }

    private static func cell(_ text: String) -> String {
        String(repeating: " ", count: max(1, 12 - text.count)) + text
    }
}

extension Rig {
    /// Megabytes that are resident, by process.
    fileprivate func residentMemory() async throws -> [String: Double] {
        var pids: [String: Int32] = ["supervisor": supervisor?.pid ?? 0]
        for worker in try await workers() { pids[worker.name] = worker.pid }
        pids["broker"] = servers.brokerPID
        return pids.compactMapValues { pid in
            guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
                let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
                let kilobytes = Double(line.filter(\.isNumber))
            else { return nil }
            return kilobytes / 1024
        }
    }
}
