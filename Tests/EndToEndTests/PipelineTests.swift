import Foundation
import Model
import TestSupport
import Testing

/// The main job with the real binary: messages of a simulated Discord become rows.
@Suite(.serialized, .needsServers) struct PipelineTests {
    private func demoDesk(
        _ database: Desk.Database,
        broker: String? = nil
    ) async throws -> (desk: Desk, discord: SimulatedDiscord, channels: [String]) {
        let desk = try await Desk(broker: broker, database: database)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        try await SimulatedDiscord.record(["demo"], to: recording)
        let channels = try TradingDesk.channelIDs(in: recording)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        try desk.write(pipeline: TradingDesk.channels(channels) + TradingDesk.records, api: discord.api)
        try desk.copyRules(TradingDesk.rules)
        return (desk, discord, channels)
    }

    @Test(arguments: [Desk.Database.postgres, .sqlite])
    func messagesBecomeRowsOnceAndTheBooksBalance(_ database: Desk.Database) async throws {
        let (desk, discord, channels) = try await demoDesk(database)
        var expected: Set<String> = []
        for channel in channels { expected.formUnion(try await discord.ingestibleIDs(channel: channel)) }
        #expect(expected.count >= 500 && channels.count == 3)

        // A rule in shadow runs beside its live twin, is compared, and writes nothing.
        let rules = try String(contentsOf: TradingDesk.rules, encoding: .utf8)
        let twin = rules.replacing("parser: trading-signals", with: "parser: twin\nstatus: shadow")
        try desk.folder.write(twin, to: "parsers/twin.yaml")
        try desk.start()
        try await desk.untilMessages(expected.count)
        try await desk.untilReady()
        let listed = try await desk.run(["rules"])
        #expect(listed.exitCode == 0)
        #expect(listed.output.contains("\ntwin ") && listed.output.contains("generation "), "\(listed.output)")
        #expect(try await desk.count("select count(*) from trading_signal where parser = 'twin'") == 0)
        let stored = Set(try await desk.rows("select id from messages").compactMap { $0[0] })
        #expect(stored == expected)
        let outcomes = try await desk.rows("select outcome, count(distinct id) from messages group by outcome")
        let accounted = outcomes.compactMap { $0[1].flatMap { Int($0) } }.reduce(0, +)
        #expect(accounted == expected.count)
        let records = try await desk.count("select count(*) from trading_signal")
        #expect(records > 50)
        #expect(await desk.stop() == 0)

        // A second run reads the newest pages again and adds nothing.
        let served = try await discord.requests()
        try desk.start()
        try await eventually("the channels are polled again") { try await discord.requests() >= served + 6 }
        #expect(await desk.stop() == 0)
        #expect(await desk.messageCount() == expected.count)
        #expect(try await desk.count("select count(*) from trading_signal") == records)
        await discord.stop()
    }

    @Test func newAndEditedMessagesArriveWhileItRuns() async throws {
        let (desk, discord, channels) = try await demoDesk(.postgres)
        try desk.start()
        try await desk.untilMessages(Int(try await discord.counts().ingestible))
        let posted = try await discord.order(
            "messages",
            #"{"channel_id":"\#(channels[0])","content":"$BTC long\nEntry: 68000-68500\nSL: 67000\nTP1: 70,500"}"#
        )
        let id = try #require(posted.root["id"]?.string)
        func signal() async throws -> [[String?]] {
            try await desk.rows(
                "select ticker, side, entry_price, entry_high from trading_signal where message_id = \(id)"
            )
        }
        try await eventually("the new message is a row") { try await signal() == [["BTC", "long", "68000", "68500"]] }
        #expect(
            try await desk.rows(
                "select type, price from trading_signal_trading_stops where message_id = \(id) order by position"
            )
                == [["stop_loss", "67000"], ["take_profit", "70500"]]
        )

        try await discord.order("messages", #"{"id":"\#(id)","content":"$BTC short\nEntry: 68.5k\nSL: 69000"}"#)
        try await eventually("the edit replaced its records") {
            try await signal() == [["BTC", "short", "68500", nil]]
        }
        #expect(
            try await desk.count("select count(*) from trading_signal_trading_stops where message_id = \(id)") == 1
        )
        try await discord.order("messages", #"{"id":"\#(id)","content":"never mind"}"#)
        try await eventually("an edit that is no signal takes its record away") { try await signal().isEmpty }
        #expect(try await desk.rows("select outcome from messages where id = \(id)") == [["unmatched"]])
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    /// By Discord's ids and not by the clock here, which may be wrong: messages of the next hour are history too.
    @Test func withoutSinceAChannelBeginsBehindItsNewestMessage() async throws {
        let desk = try await Desk(database: .sqlite)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        let soon = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000) + 3_600_000_000)
        let (full, empty) = ("9001", "9002")
        let lines = [
            #"{"channel":{"id":"\#(empty)","guild_id":"1","name":"empty"},"access":"full"}"#,
            #"{"id":"\#(Snowflake(justBefore: soon).rawValue + 1)","channel_id":"\#(full)","type":0,"content":"history","#
                + #""author":{"id":"7","username":"ann"},"timestamp":"\#(soon.iso8601)","edited_timestamp":null}"#,
        ]
        try lines.joined(separator: "\n").write(to: recording, atomically: true, encoding: .utf8)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        let channels = [full, empty].map { "  - { name: c\($0), id: \"\($0)\" }\n" }.joined()
        try desk.write(pipeline: "channels:\n\(channels)" + TradingDesk.records, api: discord.api)
        try desk.folder.write("", to: "parsers/.keep")
        try desk.start()
        try await eventually("both channels have a cursor") {
            (try? await desk.count("select count(*) from fetch_cursors")) == 2
        }
        for channel in [full, empty] {
            try await discord.order("messages", #"{"channel_id":"\#(channel)","content":"news of \#(channel)"}"#)
        }
        try await desk.untilMessages(2)
        #expect(await desk.stop() == 0)
        let contents = try await desk.rows("select content from messages order by content")
        #expect(contents == [["news of 9001"], ["news of 9002"]])
        await discord.stop()
    }

    @Test func workersThatAreKilledLoseAndDoubleNothing() async throws {
        let (desk, discord, _) = try await demoDesk(.postgres)
        let expected = Int(try await discord.counts().ingestible)
        try desk.start()
        for worker in ["fetch", "parse", "store"] {
            var killed: Int32?
            try await eventually("\(worker) runs") {
                killed = try await desk.pid(of: worker)
                return killed != nil
            }
            kill(try #require(killed), SIGKILL)
            try await eventually("\(worker) is there again") {
                let pid = try await desk.pid(of: worker)
                return pid != nil && pid != killed
            }
        }
        try await desk.untilMessages(expected)
        try await desk.untilReady()
        #expect(try await desk.count("select count(distinct id) from messages") == expected)
        #expect(await desk.messageCount() == expected)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    @Test(.needsSharedData) func realOptionAlertsEqualTheirLabels() async throws {
        let data = try #require(Project.sharedData).appending(path: "discord_option_alerts.jsonl")
        let desk = try await Desk(database: .postgres)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        try await SimulatedDiscord.record(["option-alerts", "--from", data.path], to: recording)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        try desk.write(
            pipeline: TradingDesk.channels(try TradingDesk.channelIDs(in: recording)) + OptionAlerts.records,
            api: discord.api
        )
        try desk.copyRules(Project.root.appending(path: "parsers/option-alerts/option-alerts.yaml"))
        let labels = try OptionAlerts.labels(in: data)
        #expect(labels.count == 5_556)

        try desk.start()
        // Stopped mid-way and started again: nothing may be missing or there twice.
        try await eventually("some of it is stored", within: .seconds(120)) { await desk.messageCount() >= 1_000 }
        #expect(await desk.stop() == 0)
        try desk.start()
        try await desk.untilMessages(labels.count)
        try await desk.untilReady()
        let rows = try await desk.rows(
            """
            select m.content, a.alert_type, a.ticker, a.price, to_char(a.alert_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            from messages m join option_alert a on a.message_id = m.id
            """
        )
        #expect(rows.count == labels.count)
        #expect(Set(rows.map { $0.map { $0 ?? "" } }) == Set(labels))
        #expect(await desk.stop() == 0)
        await discord.stop()
    }
}
