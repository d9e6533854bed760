import Foundation
import Logging
import Model
import Storage
import TestSupport
import Testing

/// An operator's day with dead letters, with the real binary.
@Suite(.serialized, .needsServers) struct DeadLetterTests {
    /// A desk whose dead letters were written by hand, so that nothing has to die first.
    private func deskWithLetters(
        _ database: Desk.Database,
        _ count: Int
    ) async throws -> (desk: Desk, discord: SimulatedDiscord) {
        let desk = try await Desk(database: database)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        try await SimulatedDiscord.record(["demo"], to: recording)
        let channels = try TradingDesk.channelIDs(in: recording)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        let channel = "channels:\n  - { name: vip, id: \"\(channels[0])\" }\n"
        try desk.write(pipeline: channel + TradingDesk.records, api: discord.api)
        try desk.copyRules(TradingDesk.rules)
        try desk.start()
        try await desk.untilReady()
        try await desk.bury((1...count).map { (id: 1000 + $0, channel: channels[0]) })
        return (desk, discord)
    }

    @Test(arguments: [Desk.Database.postgres, .sqlite])
    func groupsShowsAndReplaysThemOnce(_ database: Desk.Database) async throws {
        let (desk, discord) = try await deskWithLetters(database, 120)
        let group = try await desk.run(["dead", "group", "--json"])
        #expect(try JSONDocument(group.output).root["count"]?.integer == 120, "\(group.errors)")
        let shown = try await desk.run(["dead", "show", "parse/1001", "--payload"])
        #expect(try JSONDocument(shown.output).root["id"]?.string == "1001")
        let dry = try await desk.run(["dead", "replay", "--all", "--dry-run"])
        #expect(dry.output.split(separator: "\n").count == 120 && dry.exitCode == 0)
        #expect(try await desk.run(["dead", "replay"]).exitCode == 64)
        // What was mistyped does not look done.
        for mistyped in [["no/such"], ["--group", "0123456789abcdef"]] {
            for command in [["replay"], ["discard", "--reason", "x"]] {
                let result = try await desk.run(["dead"] + command + mistyped)
                #expect(result.exitCode == 1, "\(command) \(mistyped)")
                #expect(
                    result.errors.hasPrefix("chaffinch: there is no ") && result.errors.contains("; 'chaffinch dead ")
                )
            }
        }

        let first = try await desk.run(["dead", "replay", "--stage", "parse"])
        #expect(first.output == "120 letters replayed\n", "\(first.errors)")
        try await eventually("they are rows") {
            try await desk.count("select count(*) from trading_signal where message_id > 1000 and message_id <= 1120")
                == 120
        }
        #expect(try await desk.run(["dead", "replay", "--all"]).output == "0 letters replayed\n")
        #expect(try await desk.run(["dead", "list"]).output == "no dead letters\n")
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    @Test func aReplayKilledHalfWayIsTakenUp() async throws {
        let (desk, discord) = try await deskWithLetters(.postgres, 60)
        let replay = try RunningProgram(
            Project.binary("chaffinch"),
            ["dead", "replay", "--all", "--rate", "5"],
            environment: desk.environment,
            in: desk.folder.url,
            logs: desk.folder.url,
            name: "replay"
        )
        func states() async throws -> [String: Int] {
            try await desk.rows("select state, count(*) from dead_letters group by state").reduce(into: [:]) {
                $0[$1[0] ?? ""] = Int($1[1] ?? "")
            }
        }
        try await eventually("some are replayed") { try await states()["replayed", default: 0] > 0 }
        replay.send(SIGKILL)
        _ = await replay.exitCode()
        // As it stands when the kill comes between the confirm and the mark.
        let update =
            "update dead_letters set state = 'replaying' where id in "
            + "(select id from dead_letters where state = 'replayed' limit 2)"
        let made = try await RunningProgram.run("/usr/bin/psql", ["-q", desk.databaseURL, "-c", update])
        #expect(made.exitCode == 0, "\(made.errors)")
        let left = 60 - (try await states()["replayed", default: 0])
        let second = try await desk.run(["dead", "replay", "--all", "--json"])
        let report = try JSONDocument(second.output).root
        #expect(report["replayed"]?.integer == Int64(left) && (report["taken_up"]?.integer ?? 0) >= 2)
        try await eventually("all are rows") {
            try await desk.count("select count(*) from trading_signal where message_id > 1000 and message_id <= 1060")
                == 60
        }
        #expect(try await states() == ["replayed": 60])
        #expect(await desk.stop() == 0)
        await discord.stop()
    }
}

extension Desk {
    /// Puts messages into the table of dead letters, each as if parse had given it up alone.
    fileprivate func bury(_ messages: [(id: Int, channel: String)]) async throws {
        let store = try openStore(
            databaseURL,
            schema: StoreSchema(pipeline: name, records: []),
            name: "test",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await store.insert(
            messages.map { message in
                DeadLetter(
                    id: DeadLetter.makeID(messageID: "\(message.id)", stage: "parse"),
                    stage: "parse",
                    messageIDs: [Snowflake(UInt64(message.id))],
                    errorClass: "permanent",
                    errorText: "message \(message.id) could not be read",
                    attempts: 1,
                    attemptTimes: [.noon],
                    firstAt: .noon,
                    lastAt: .noon,
                    worker: "parse/1",
                    version: "0.1.0",
                    generation: 1,
                    fingerprint: DeadLetter.makeFingerprint(stage: "parse", error: "could not be read"),
                    payload: Array(
                        (#"{"id":"\#(message.id)","channel_id":"\#(message.channel)","type":0,"#
                            + #""timestamp":"2026-11-22T12:00:00Z","content":"$BTC long\nEntry: 68000\nSL: 67000"}"#)
                            .utf8
                    ),
                    messageID: "\(message.id)",
                    type: "message.page",
                    pipeline: name
                )
            }
        )
        await store.close()
    }
}

extension Timestamp {
    fileprivate static let noon = Timestamp(iso8601: "2026-11-22T12:00:00Z")!
}
