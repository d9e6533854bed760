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

    @Option(help: "Seconds for which a random worker is killed every two.")
    var killSeconds: Int?

    @Option(help: "Seconds that a case may take to drain.")
    var patience = 150

    @Option(help: "Instead of the cases: minutes of steady load with a kill every ten seconds.")
    var soak: Double?

    @Option(help: "Messages a second of the soak; by default half of what the pipeline does at most.")
    var rate: Int?

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
        let result = await Result {
            let folder = try TemporaryFolder()
            let source = try await Source(in: folder, messages: messages ?? (quick ? 1_500 : 6_000), seed: seed)
            guard let soak else { return try await play(chosen, source, on: servers) }
            return try await Soak(servers, source, seed: seed).run(minutes: soak, rate: rate)
        }
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
    private func play(_ chosen: [Case], _ source: Source, on servers: Servers) async throws -> Bool {
        var oracle = Oracle()
        var report = Report()
        var random = SplitMix64(seed: seed)
        Report.printHeader()
        for one in chosen {
            let start = ContinuousClock.now
            let rig = try await source.rig(on: servers, one.setting)
            var chaos = Chaos(
                rig: rig,
                isQuick: quick,
                killSeconds: killSeconds ?? (quick ? 16 : 600),
                random: SplitMix64(seed: random.next())
            )
            var verdict = Oracle.Verdict()
            do {
                try await one.run(&chaos)
            } catch let skipped as Skipped {
                report.skip(one, because: skipped.description)
                await rig.end()
                continue
            } catch {
                verdict.note = "\(error)"
            }
            rig.heal()
            do {
                if one.name == Case.baseline.name { try await oracle.learn(from: rig) }
                // What did not go as the case wants it is counted all the same.
                let note = verdict.note
                verdict = try await oracle.judge(rig, within: .seconds(patience))
                if !note.isEmpty { verdict.note = note }
            } catch {
                verdict.note += "\(error)"
            }
            let holds = verdict.holds(expectingDead: one.dead)
            report.add(one, verdict, holds: holds, remark: chaos.remark, ContinuousClock.now - start)
            await rig.end()
            if !holds { try keep(rig.log, of: one) }
        }
        report.printTable(seed: seed)
        return report.allHold
    }

    private func keep(_ log: String, of one: Case) throws {
        let name = one.name.replacing(/[^A-Za-z0-9]+/, with: "-")
        let file = FileManager.default.temporaryDirectory.appending(path: "chaffinch-chaos-\(name)-\(seed).log")
        try log.write(to: file, atomically: true, encoding: .utf8)
        print("  its log: \(file.path)")
    }
}

/// The history that every case begins with.
struct Source {
    /// Kept, since the recording goes with it.
    private let folder: TemporaryFolder
    private let recording: URL
    private let channels: [String]

    init(in folder: TemporaryFolder, messages: Int, seed: UInt64) async throws {
        recording = folder.url.appending(path: "recording.jsonl")
        try await SimulatedDiscord.record(
            ["bulk", "--messages", "\(messages)", "--channels", "3", "--seed", "\(seed)"],
            to: recording
        )
        var ids: [String] = []
        for match in try String(contentsOf: recording, encoding: .utf8).matches(of: /"channel_id":"(\d+)"/)
        where !ids.contains(String(match.1)) {
            ids.append(String(match.1))
            if ids.count == 3 { break }
        }
        channels = ids
        self.folder = folder
    }

    func rig(on servers: Servers, _ setting: Rig.Setting = Rig.Setting()) async throws -> Rig {
        try await Rig(servers, recording: recording, channels: channels, setting)
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
