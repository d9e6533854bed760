import ArgumentParser
import Dispatch
import Foundation
import TestSupport

/// Runs the cases one after the other and prints what became of each.
@main struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Breaks things around a running pipeline and counts whether anything is lost or doubled."
    )

    @Flag(help: "Short faults and few messages.")
    var quick = false

    @Option(help: "The same seed makes the same messages and the same faults.")
    var seed: UInt64 = 1

    @Option(help: "Only cases whose name contains one of these, separated by commas.")
    var cases = ""

    @Option(help: "Messages of history in each case.")
    var messages: Int?

    @Flag(help: "Only print the names of the cases.")
    var list = false

    func run() async throws {
        let wanted = cases.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let chosen = Case.all.filter { one in
            let isWanted = wanted.contains { one.name.localizedCaseInsensitiveContains($0) }
            return one.name == Case.baseline.name || (wanted.isEmpty ? !(quick && one.isLong) : isWanted)
        }
        if list { return chosen.forEach { print($0.name) } }
        let servers = try await Servers()
        let signals = stopsOnSignals(servers)
        defer { signals.forEach { $0.cancel() } }
        let result = await Result { try await play(chosen, on: servers) }
        await servers.stop()
        if try !result.get() { throw ExitCode.failure }
    }

    /// An interrupt must not leave servers behind.
    private func stopsOnSignals(_ servers: Servers) -> [any DispatchSourceSignal] {
        let cleanUp = servers.cleanUp
        return [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                cleanUp()
                _exit(128 + number)
            }
            source.resume()
            return source
        }
    }

    /// - Returns: whether every case held.
    private func play(_ chosen: [Case], on servers: Servers) async throws -> Bool {
        let folder = try TemporaryFolder()
        let recording = folder.url.appending(path: "recording.jsonl")
        try await SimulatedDiscord.record(
            ["bulk", "--messages", "\(messages ?? (quick ? 1_500 : 6_000))", "--channels", "3", "--seed", "\(seed)"],
            to: recording
        )
        let channels = try Self.channelIDs(in: recording)
        var oracle = Oracle()
        var lines: [String] = []
        var (total, allHold) = (0, true)
        var random = SplitMix64(seed: seed)
        for one in chosen {
            let start = ContinuousClock.now
            let rig = try await Rig(servers, recording: recording, channels: channels, extra: one.extra)
            var chaos = Chaos(rig: rig, isQuick: quick, random: SplitMix64(seed: random.next()))
            var verdict = Oracle.Verdict()
            do {
                try await one.run(&chaos)
                servers.heal()
                if one.name == Case.baseline.name {
                    try await rig.untilStored(try await rig.expected())
                    oracle.signals = try await rig.count("select count(*) from trading_signal")
                    oracle.stops = try await rig.count("select count(*) from trading_signal_trading_stops")
                }
                verdict = try await oracle.judge(rig)
            } catch {
                verdict.note = "\(error)"
            }
            servers.heal()
            let holds = verdict.note.isEmpty && verdict.holds(expectingDead: one.dead)
            let line = Self.line(one, verdict, holds, ContinuousClock.now - start)
            print(line)
            fflush(nil)
            lines.append(line)
            total += verdict.messages
            allHold = allHold && holds
            await rig.end()
            if !holds { try keep(rig.log, of: one) }
        }
        print("\n" + Self.header)
        lines.forEach { print($0) }
        print("\nseed \(seed): \(lines.count) cases, \(total) messages, \(allHold ? "all hold" : "NOT all hold")")
        return allHold
    }

    private func keep(_ log: String, of one: Case) throws {
        let name = one.name.replacing(/[^A-Za-z0-9]+/, with: "-")
        let file = FileManager.default.temporaryDirectory.appending(path: "chaffinch-chaos-\(name)-\(seed).log")
        try log.write(to: file, atomically: true, encoding: .utf8)
        print("  its log: \(file.path)")
    }

    private static let header =
        "RESULT  \("CASE".padding(toLength: 46, withPad: " ", startingAt: 0))  MESSAGES   LOST  SURPLUS   DEAD  QUEUED  BOOKS  RECOVERY   TIME"

    private static func line(_ one: Case, _ verdict: Oracle.Verdict, _ holds: Bool, _ time: Duration) -> String {
        func cell(_ value: some CustomStringConvertible, _ width: Int) -> String {
            let text = "\(value)"
            return String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let name = one.name.padding(toLength: 46, withPad: " ", startingAt: 0)
        let numbers = [
            cell(verdict.messages, 8), cell(verdict.lost, 5), cell(verdict.surplus, 7), cell(verdict.dead, 5),
            cell(verdict.queued, 6), cell(verdict.balances ? "ok" : "off", 5),
            cell(String(format: "%.1fs", verdict.recovery.inSeconds), 8),
            cell(String(format: "%.0fs", time.inSeconds), 5),
        ]
        return "\(holds ? "holds " : "FAILS ")  \(name)  \(numbers.joined(separator: "  "))  \(verdict.note)"
    }

    private static func channelIDs(in recording: URL) throws -> [String] {
        var ids: [String] = []
        for match in try String(contentsOf: recording, encoding: .utf8).matches(of: /"channel_id":"(\d+)"/)
        where !ids.contains(String(match.1)) {
            ids.append(String(match.1))
            if ids.count == 3 { break }
        }
        return ids
    }
}

extension Rig {
    func expected() async throws -> Int {
        var count = 0
        for channel in channels { count += try await discord.ingestibleIDs(channel: channel).count }
        return count
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
