import Foundation
import Model
import TestSupport
import Testing

/// Messages that come from files, and messages that go away in Discord, with the real binary.
@Suite(.serialized, .needsServers) struct ImportAndDeletionTests {
    @Test func importsFilesAndFollowsDeletions() async throws {
        let desk = try await Desk(database: .sqlite)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        try await SimulatedDiscord.record(["demo"], to: recording)
        let channels = try TradingDesk.channelIDs(in: recording)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        let erased = "  - { name: erased, id: \"\(channels[0])\", since: 2024-01-01, on_delete: erase }\n"
        let marked = "  - { name: marked, id: \"\(channels[1])\", since: 2024-01-01, on_delete: mark }\n"
        try desk.write(pipeline: "channels:\n" + erased + marked + TradingDesk.records, api: discord.api)
        try desk.copyRules(TradingDesk.rules)
        try desk.start()
        var ids: [[String]] = []
        for channel in channels.prefix(2) {
            ids.append(
                try await discord.ingestibleIDs(channel: channel).sorted {
                    $0.count == $1.count ? $0 < $1 : $0.count < $1.count
                }
            )
        }
        try await desk.untilMessages(ids[0].count + ids[1].count)
        try await desk.untilReady()

        try await imports(into: desk)
        try await killsAnImport(into: desk)

        // Both stand in the newest page, with others on either side.
        let victims = ids.map { $0[$0.count - 8] }
        for id in victims { try await discord.order("messages", #"{"id":"\#(id)","delete":true}"#) }
        func state(_ id: String) async throws -> [[String?]] {
            try await desk.rows(
                "select deleted_at is null, content is null, payload is null from messages where id = \(id)"
            )
        }
        try await eventually("the deletions are followed") {
            let states = [try await state(victims[0]), try await state(victims[1])]
            return states == [[["0", "1", "1"]], [["0", "0", "0"]]]
        }
        #expect(try await desk.count("select count(*) from messages where deleted_at is not null") == 2)
        #expect(try await desk.count("select count(*) from trading_signal where message_id = \(victims[0])") == 0)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    /// Killed half-way it goes on where it was: nothing is left out, and what was confirmed meanwhile comes twice.
    private func killsAnImport(into desk: Desk) async throws {
        let count = 20_000
        let lines = (0..<count).map {
            #"{"id":"\#(100_000 + $0)","channel_id":"42","type":0,"timestamp":"2026-11-22T12:00:00Z","content":"\#($0)"}"#
        }
        try desk.folder.write(lines.joined(separator: "\n"), to: "many.jsonl")
        let position = desk.folder.url.appending(path: "data/import.json").path
        let first = try RunningProgram(
            Project.binary("chaffinch"),
            ["import", "many.jsonl"],
            environment: desk.environment,
            in: desk.folder.url,
            logs: desk.folder.url,
            name: "import"
        )
        try await eventually("it has begun") { FileManager.default.fileExists(atPath: position) || !first.isRunning }
        first.send(SIGKILL)
        _ = await first.exitCode()
        let wasCutOff = FileManager.default.fileExists(atPath: position)
        let second = try await desk.run(["import", "many.jsonl", "--json"])
        #expect(second.exitCode == 0 && second.errors.contains("going on") == wasCutOff, "\(second.errors)")
        #expect(try JSONDocument(second.output).root["imported"]?.integer == Int64(count))
        #expect(!FileManager.default.fileExists(atPath: position))
        try await eventually("they are rows", within: .seconds(120)) {
            try await desk.count("select count(*) from messages where id between 100000 and 119999") == count
        }
    }

    private func imports(into desk: Desk) async throws {
        func line(_ id: Int, type: Int = 0) -> String {
            #"{"id":"\#(id)","channel_id":"42","type":\#(type),"timestamp":"2026-11-22T12:00:00Z","content":"$BTC long\nEntry: 68000\nSL: 67000"}"#
        }
        let lines = (1...250).map { line($0) } + ["no JSON", #"{"id":"7"}"#, line(300, type: 7)]
        try desk.folder.write(lines.joined(separator: "\n"), to: "old.jsonl")
        let message =
            #"{"id":"%","type":"Default","timestamp":"2026-11-22T12:00:00+00:00","timestampEdited":null,"isPinned":false,"content":"","author":{"id":"9","name":"finch"},"embeds":[{"title":"$ETH short","description":"Entry: 3000\nSL: 3100","fields":[]}]}"#
        let messages = (401...402).map { message.replacing("%", with: "\($0)") }
        try desk.folder.write(
            #"{"guild":{"id":"7"},"channel":{"id":"42"},"messages":[\#(messages.joined(separator: ",\n"))],"messageCount":2}"#,
            to: "export.json"
        )
        let result = try await desk.run(["import", "old.jsonl", "export.json", "--json"])
        let report = try JSONDocument(result.output).root
        #expect(report["imported"]?.integer == 252 && report["ignored"]?.integer == 1 && report["bad"]?.integer == 2)
        #expect(result.exitCode == 1)
        #expect(
            result.errors.contains("old.jsonl:251: ") && result.errors.contains("old.jsonl:252: "),
            "\(result.errors)"
        )
        #expect(!FileManager.default.fileExists(atPath: desk.folder.url.appending(path: "data/import.json").path))
        try await eventually("they are rows") {
            try await desk.count("select count(*) from trading_signal where message_id < 1000") == 252
        }
        #expect(try await desk.rows("select ticker from trading_signal where message_id = 401") == [["ETH"]])
        // Once more changes nothing.
        #expect(try await desk.run(["import", "old.jsonl"]).exitCode == 1)
        #expect(try await desk.run(["import", "nowhere.json"]).exitCode == 64)
    }
}
