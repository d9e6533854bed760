import Foundation
import Model
import TestSupport
import Testing

/// What hostile, broken and unlucky servers and messages come to.
extension LastResortTests {
    private func raw(_ text: String, _ body: String, status: Int = 200, headers: [(String, String)] = []) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("text")
            writer.value(text)
            writer.key("body")
            writer.value(body)
            writer.key("status")
            writer.value(status)
            writer.key("headers")
            writer.object { writer in
                for (name, value) in [("Content-Type", "application/json")] + headers {
                    writer.key(name)
                    writer.value(value)
                }
            }
        }
        return writer.text
    }

    private func choice(_ content: String, finish: String = "stop", more: String = "") -> String {
        #"{"message":{"role":"assistant","content":\#(content)\#(more)},"finish_reason":"\#(finish)"}"#
    }

    private func signal(_ ticker: String, _ side: String, _ entry: String) -> String {
        #"{"ticker":{"quote":"\#(ticker)","value":"\#(ticker)"},"side":{"quote":"\#(side)","value":"#
            + #""\#(side == "BUY" ? "long" : "short")"},"entry":{"quote":"\#(entry)","value":\#(entry)},"stops":[]}"#
    }

    /// A chat completion whose content is ``content()``, packed with gzip.
    private static let packed = """
        H4sIAAAAAAACA11QTUsDMRD9K2XOpahIDz2K4EXw5EGapcTstBubZtbMpFSW/HcnEaXu7X3Mm0zeBL6HzQIusFwAvX+gk0rdYGXl6DQGFE+xmm4g\
        75DV3U7gY48XhTdqnJDZHlDZBIlCBWCZPYuN0pIUBWPbOxlI6Cj1bGCzVSbeHTEpUfyZSVChgaeX50cDSwNnG/K1VFRj3+M88PD6NpsPFA8/8/p0+poH\
        7td363+JKrTtQmM7ritdqdcn3Ge2Qa+POYSiyt5Hz8MuoWWtRn9VM1A6tfJfE2PS9mQndMRYS7ttRfwWeqWX8g1G5a44hAEAAA==
        """

    @Test func noHostileAnswerBecomesARow() async throws {
        let (desk, discord, openai) = try await openDesk()
        let none = quoted(#"{"records":[]}"#)
        let reply = #"{"id":"1","channel_id":"\#(Self.channel)","content":"GOLD 4626","type":0}"#
        let deep = String(repeating: #"{"records":["#, count: 1_000) + String(repeating: "]}", count: 1_000)
        let swapped = #"{"records":[\#(signal("GOLD", "BUY", "68000")),\#(signal("BTC", "SELL", "4626"))]}"#
        let cases: [(text: String, answer: String, outcome: String)] = [
            // What the message itself does not say: another message, a reply's original, the author's name.
            ("BUY of another message", recorded("BUY of another message", content()), "last: ungrounded"),
            ("BUY as replied", recorded("BUY as replied", content()), "last: ungrounded"),
            (
                "BUY GOLD four thousand",
                recorded("BUY GOLD four thousand", content(entry: #"{"quote":"four thousand","value":4000}"#)),
                "last: ungrounded"
            ),
            ("BUY G0LD 4626", recorded("BUY G0LD 4626", content()), "last: ungrounded"),
            ("BUY GОLD 4626", recorded("BUY GОLD 4626", content()), "last: ungrounded"),
            (
                "BUY GOLD 4626 SELL BTC 68000", recorded("BUY GOLD 4626 SELL BTC 68000", swapped),
                "last: ungrounded: '68000', the quote of 'entry', stands with another record"
            ),
            (
                "BUY GOLD RR 1:4626", recorded("BUY GOLD RR 1:4626", content()),
                "last: ungrounded: '4626', the quote of 'entry', is only a part of what is written"
            ),
            // JSON that is none, or is not what was asked for.
            (
                "nan BUY GOLD 4626", recorded("nan BUY GOLD 4626", content(entry: #"{"quote":"4626","value":NaN}"#)),
                "last: not JSON"
            ),
            ("deep BUY GOLD 4626", recorded("deep BUY GOLD 4626", deep), "last: not JSON"),
            (
                "huge BUY GOLD 4626",
                recorded("huge BUY GOLD 4626", content(entry: #"{"quote":"4626","value":4626e999}"#)),
                "last: schema"
            ),
            ("twice BUY GOLD 4626", recorded("twice BUY GOLD 4626", content(extra: #","side":null"#)), "last: schema"),
            (
                "control BUY GOLD 4626",
                recorded("control BUY GOLD 4626", content(entry: #"{"quote":"\u0000\u001b[2J","value":4626}"#)),
                "last: ungrounded: '  [2J', the quote of 'entry', does not occur in the message"
            ),
            // Envelopes.
            (
                "choices BUY GOLD 4626",
                raw("choices BUY GOLD 4626", #"{"choices":[\#(choice(none)),\#(choice(quoted(content())))]}"#),
                "last: no record"
            ),
            (
                "tools BUY GOLD 4626",
                raw(
                    "tools BUY GOLD 4626",
                    #"{"choices":[\#(choice("null", more: #","tool_calls":[{"id":"1","type":"function"}]"#))]}"#
                ), "last: not JSON"
            ),
            (
                "filtered BUY GOLD 4626",
                raw("filtered BUY GOLD 4626", #"{"choices":[\#(choice("null", finish: "content_filter"))]}"#),
                "last: refused"
            ),
        ]
        let packed =
            #"{"text":"packed BUY GOLD 4626","body_base64":"\#(Self.packed)","headers":{"Content-Encoding":"gzip","Content-Type":"application/json"}}"#
        try await openai.record(cases.map(\.answer) + [packed])
        for (text, _, _) in cases {
            let isReply = text == "BUY as replied"
            try await post(
                text,
                to: discord,
                more: isReply
                    ? [
                        ("referenced_message", reply), ("author", #"{"id":"7","username":"GOLD 4626"}"#),
                        ("type", "19"),
                    ] : []
            )
        }
        try await post("packed BUY GOLD 4626", to: discord)
        try desk.start()
        try await desk.untilMessages(cases.count + 1)

        for (text, _, outcome) in cases {
            let row = try await desk.rows("select outcome, reason from messages where content = '\(text)'").first
            #expect(row?[0] == "skipped" && row?[1]?.hasPrefix(outcome) == true, "\(text): \(row ?? [])")
        }
        // A packed answer is an answer like any other; it is the only one here that holds.
        #expect(try await desk.rows("select ticker, entry from signal") == [["GOLD", "4626"]])
        // An answer that did not hold is kept, so that a worker killed over the second question does not ask the first
        // again.
        #expect(try await desk.count("select count(*) from openai_answers where key like '%-1'") > 0)
        #expect(await desk.stop() == 0)
        await discord.stop()
        await openai.stop()
    }

    @Test func theKeyAndTheMessageGoNowhereElse() async throws {
        let (desk, discord, openai) = try await openDesk()
        let other = try TemporaryFolder()
        let elsewhere = try await SimulatedOpenAI(logs: other.url)
        let key = SimulatedOpenAI.key
        let text = "echo BUY GOLD 4626"
        try await openai.record([
            raw(text, #"{"error":{"message":"the key \#(key) is no good","code":"\#(key)"}}"#, status: 400),
            raw(
                "redirected BUY GOLD 4626",
                "",
                status: 307,
                headers: [("Location", "\(elsewhere.baseURL)/chat/completions?key=\(key)")]
            ),
        ])
        try await post(text, to: discord)
        try desk.start()
        try await eventually("the refused message is a dead letter", within: .seconds(90)) {
            ((try? await desk.count("select count(*) from dead_letters")) ?? 0) == 1
        }
        try await post("redirected BUY GOLD 4626", to: discord)
        try await eventually("the status says that nothing is asked", within: .seconds(60)) {
            try await desk.run(["status"]).output.contains("does not ask the server")
        }
        #expect(desk.supervisor?.errors.contains("redirects are not followed") == true)
        #expect(try await elsewhere.count("requests") == 0)
        // The fault is the server's, so the message waits for a better one.
        #expect(await desk.messageCount() == 0)
        #expect(try await desk.count("select count(*) from dead_letters") == 1)

        let letter = try await desk.rows("select * from dead_letters").joined().compactMap { $0 }.joined(separator: " ")
        #expect(letter.contains("is no good") && !letter.contains(key), "\(letter)")
        #expect(desk.supervisor?.errors.contains(key) == false)
        let status = try await desk.run(["status", "--json"]).output
        #expect(!status.contains(key))
        for worker in try JSONDocument(status).root["workers"]?.elements.map({ $0 }) ?? [] {
            guard let pid = worker["pid"]?.integer, let name = worker["name"]?.string else { continue }
            let environment = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ"))
            let command = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/cmdline"))
            #expect((environment.range(of: Data(key.utf8)) != nil) == (name == "openai"), "\(name)")
            #expect(command.range(of: Data(key.utf8)) == nil, "\(name)")
        }
        #expect(await desk.stop() == 0)
        await discord.stop()
        await openai.stop()
        await elsewhere.stop()
    }

    @Test func aSpentDayParksWhatWaitsWithoutAnAttempt() async throws {
        let (desk, discord, openai) = try await openDesk(", daily_tokens: 8000, concurrency: 2")
        for number in 0..<30 { try await post("sell nothing \(number)", to: discord) }
        try desk.start()
        try await eventually("the status says that the day is spent", within: .seconds(90)) {
            try await desk.run(["status"]).output
                .contains("has spent the day's tokens (openai.daily_tokens): what waits is asked after midnight UTC")
        }
        #expect(try await openai.count("tokens") <= 8000)
        let stored = await desk.messageCount()
        #expect(stored < 30)
        let asked = try await openai.count("completions")
        #expect(asked > 1)
        // More for today: a new generation, a new worker, and what waited goes on.
        let file = desk.folder.url.appending(path: "pipeline.yaml")
        try String(contentsOf: file, encoding: .utf8).replacing("daily_tokens: 8000", with: "daily_tokens: 1000000")
            .write(to: file, atomically: true, encoding: .utf8)
        #expect(try await desk.run(["reload"]).exitCode == 0)
        try await desk.untilMessages(30)
        #expect(try await desk.count("select count(*) from messages where outcome = 'skipped'") == 30)
        #expect(try await desk.count("select count(*) from dead_letters") == 0)
        #expect(await desk.stop() == 0)
        await discord.stop()
        await openai.stop()
    }
}
