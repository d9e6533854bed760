import Foundation
import Model
import Rules
import TestSupport
import Testing

/// Real signals that no shipped rule reads, answered by a model that always tells the truth: what grounding lets
/// through must be the truth, and must be what is stored.
@Suite(.needsSharedData) struct LastResortTruthTests {
    @Test func whatHoldsIsTheTruth() throws {
        var tally: [String: Int] = [:]
        for signal in try UnreadSignal.all(in: try #require(Project.sharedData)) {
            switch signal.verdict {
            case .records(let read):
                #expect(read.map { TruthfulModel.outline($0) } == signal.truth, "\(signal.text)")
                tally["read", default: 0] += 1
            case .declined(let reason): tally["declined: \(reason.code.rawValue)", default: 0] += 1
            case .fault(let problem): Issue.record("\(problem)")
            }
        }
        print("unread signals through the last resort:", tally.sorted { $0.key < $1.key })
        #expect(tally["read", default: 0] > 0)
    }

    @Test(.needsServers) func theWorkerStoresWhatHoldsAndSkipsTheRestWithItsReason() async throws {
        let signals = try UnreadSignal.all(in: try #require(Project.sharedData))
        let desk = try await Desk(database: .sqlite)
        let channel = "1390000000000000041"
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        try Self.recording(of: signals, channel).write(to: recording, atomically: true, encoding: .utf8)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        let openai = try await SimulatedOpenAI(logs: desk.folder.url)
        // By the text that is sent, between its markers.
        try await openai.record(signals.map { Self.line($0) })
        desk.environment["OPENAI_API_KEY"] = SimulatedOpenAI.key
        try desk.write(
            pipeline: "channels: [ { name: vip-signals, id: \"\(channel)\", since: 2024-01-01 } ]\n"
                + TradingDesk.records,
            api: discord.api,
            extra: "openai: { api_key: \"${OPENAI_API_KEY:-}\", base_url: \"\(openai.baseURL)\" }"
        )
        let shipped = Project.root.appending(path: "parsers/signals")
        for name in try FileManager.default.contentsOfDirectory(atPath: shipped.path) where name.hasSuffix(".yaml") {
            try desk.copyRules(shipped.appending(path: name))
        }
        try desk.folder.write(try UnreadSignal.lastResortFile(), to: "parsers/last-resort.yaml")
        try desk.start()
        try await desk.untilMessages(signals.count)

        let stored = try await Self.stored(desk)
        var rowCount = 0
        for (index, signal) in signals.enumerated() {
            let row = try await desk.rows("select outcome, reason from messages where id = \(Self.id(index))").first
            switch signal.verdict {
            case .records:
                #expect(row?[0] == "parsed", "\(signal.text)")
                #expect(stored[Self.id(index)] == signal.truth, "\(signal.text)")
                rowCount += signal.truth.count
            case .declined(let reason):
                #expect(
                    row?[0] == "skipped" && row?[1]?.contains("last-resort: \(reason)") == true,
                    "\(row ?? []) \(reason)"
                )
            case .fault(let problem): Issue.record("\(problem)")
            }
        }
        #expect(rowCount > 0)
        #expect(try await desk.count("select count(*) from trading_signal") == rowCount)
        #expect(await desk.stop() == 0)
        await discord.stop()
        await openai.stop()
    }

    private static func id(_ index: Int) -> String { String(1_390_000_000_000_100_000 + index) }

    private static func recording(of signals: [UnreadSignal], _ channel: String) -> String {
        let messages = signals.enumerated().map { index, signal in
            var text = JSONWriter()
            text.value(signal.text)
            return #"{"id":"\#(id(index))","channel_id":"\#(channel)","type":0,"content":\#(text.text),"#
                + #""timestamp":"2025-07-02T10:00:00.000000+00:00","author":{"id":"1","username":"writer"}}"#
        }
        let first = #"{"channel":{"id":"\#(channel)","guild_id":"1308600000000000100","name":"vip"},"access":"full"}"#
        return ([first] + messages).joined(separator: "\n") + "\n"
    }

    private static func line(_ signal: UnreadSignal) -> String {
        let sent = signal.question.user.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().dropLast()
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("text")
            writer.value(sent.joined(separator: "\n"))
            writer.key("content")
            writer.value(signal.answer.content)
        }
        return writer.text
    }

    /// The records of each message, outlined as the truth is.
    private static func stored(_ desk: Desk) async throws -> [String: [[String]]] {
        let names = [
            "ticker", "side", "status", "entry_type", "entry_price", "entry_high", "leverage", "risk",
        ]
        let stops = try await desk.rows("select message_id, ordinal, type, price from trading_signal_trading_stops")
        var stored: [String: [[String]]] = [:]
        for row in try await desk.rows(
            "select message_id, ordinal, \(names.joined(separator: ", ")) from trading_signal "
                + "where source = 'openai' order by message_id, ordinal"
        ) {
            var lines = zip(names, row.dropFirst(2)).compactMap { name, value in value.map { "\(name)=\($0)" } }
            for type in ["stop_loss", "take_profit"] {
                let own = stops.filter { $0[0] == row[0] && $0[1] == row[1] && $0[2] == type }
                lines.append("\(type)=\(own.compactMap { $0[3] }.sorted())")
            }
            stored[row[0] ?? "", default: []].append(lines)
        }
        return stored
    }
}
