import Foundation
import Model
import TestSupport
import Testing

/// Several supervisors on one broker and one database.
@Suite(.serialized, .needsServers, .timeLimit(.minutes(4))) struct SharedWorkTests {
    @Test func twoSupervisorsShareTheWorkAndAThirdOnTheSameFolderIsRefused() async throws {
        let desk = try await Desk(database: .postgres)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        try await SimulatedDiscord.record(["demo", "--messages", "300"], to: recording)
        let channels = try TradingDesk.channelIDs(in: recording)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        try desk.write(pipeline: TradingDesk.channels(channels) + TradingDesk.records, api: discord.api)
        try desk.copyRules(TradingDesk.rules)
        // The other machine: the same files, a data folder of its own.
        let other = try TemporaryFolder()
        for file in ["pipeline.yaml", "parsers"] {
            try FileManager.default.copyItem(
                at: desk.folder.url.appending(path: file),
                to: other.url.appending(path: file)
            )
        }
        try desk.start(["--only", "fetch,parse"])
        let second = try RunningProgram(
            Project.binary("chaffinch"),
            ["supervisor", "--only", "parse,store"],
            environment: desk.environment,
            in: other.url,
            logs: other.url,
            name: "second"
        )
        defer { second.send(SIGKILL) }
        func workers(_ folder: TemporaryFolder) async throws -> [String: JSONView] {
            let status = try await RunningProgram.run(
                Project.binary("chaffinch"),
                ["status", "--json", "--data", folder.url.appending(path: "data").path]
            )
            guard status.exitCode == 0, let workers = try JSONDocument(status.output).root["workers"] else {
                return [:]
            }
            return Dictionary(workers.elements.map { ($0["name"]?.string ?? "", $0) }) { first, _ in first }
        }
        try await eventually("both are ready") {
            let names = try await [workers(desk.folder), workers(other)].map { $0.keys.sorted() }
            return names == [["fetch", "parse", "setup"], ["parse", "setup", "store"]]
        }

        // Live messages travel one by one, and the broker hands them to both in turn.
        let known = Int(try await discord.counts().ingestible)
        var posted = 0
        try await eventually("both parse") {
            for _ in 0..<5 {
                posted += 1
                _ = try await discord.order(
                    "messages",
                    #"{"channel_id":"\#(channels[posted % channels.count])","content":"good morning \#(posted)"}"#
                )
            }
            try await Task.sleep(for: .seconds(1))
            let done = try await [workers(desk.folder), workers(other)].map { $0["parse"]?["progress"]?.integer ?? 0 }
            return done.allSatisfy { $0 > 0 }
        }
        try await desk.untilMessages(known + posted)
        #expect(await desk.messageCount() == known + posted)

        let third = try await desk.run(["supervisor"])
        #expect(third.exitCode == 69)
        let pid = try #require(desk.supervisor?.pid)
        #expect(third.errors.contains("another supervisor (pid \(pid)) runs on this data folder: "), "\(third.errors)")
        #expect(await desk.stop() == 0)
        #expect(await second.stop() == 0)
        await discord.stop()
    }
}
