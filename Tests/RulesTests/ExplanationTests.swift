import Foundation
import Model
import Testing

@testable import Rules

@Suite("Explanation")
struct ExplanationTests {
    private func explain(_ compilation: RuleCompilation, _ text: String, channel: UInt64 = 13) throws -> Explanation {
        try #require(compilation.rules).explain(message(text, channel: channel))
    }

    @Test("every outcome is told, in the order the rules are tried")
    func outcomes() throws {
        let fields = "fields: { name: { match: 'name=(?<value>\\w+)' }, amount: { match: 'amount=(?<value>\\S+)' } }"
        func file(_ id: String, _ lines: String, _ fields: String = fields) -> String {
            "parser: \(id)\nrecord: sample\n\(lines)\n\(fields)"
        }
        let compilation = compile(
            file("shadow", "status: shadow"),
            file("late", "priority: 900"),
            file("win", "priority: 300"),
            file("failing", "priority: 200\ncheck: [amount > 5]"),
            file("gated", "priority: 100\ngate: [buy, sell]"),
            file("derived", "priority: 99", "fields: { name: { match: 'title=(?<value>\\w+)' } }"),
            file("elsewhere", "priority: 98\nchannels: gold-room"),
            file("empty", "priority: 97\ngate: [name]", "fields: { name: { match: 'nam(?<value>x)' } }"),
            file("off", "status: off")
        )
        #expect(compilation.messages == [])
        let explanation = try explain(compilation, "name=a amount=3")
        #expect(
            explanation.parsers.map(\.summary.id) == [
                "empty", "elsewhere", "derived", "gated", "failing", "win", "late", "shadow", "off",
            ]
        )
        #expect(explanation.winner?.summary.id == "win")
        #expect(explanation.parsers.map(\.isReached) == [true, true, true, true, true, true, false, true, true])
        let lines = explanation.rendered(colour: false).split(separator: "\n").filter { $0.first?.isLetter == true }
        #expect(
            lines == [
                "empty (r8.yaml, priority 97): no record: 'name' found nothing",
                "elsewhere (r7.yaml, priority 98): not tried: 'channels' does not name this channel",
                "derived (r6.yaml, priority 99): not tried: its required fields want one of 'title='",
                "gated (r5.yaml, priority 100): not tried: its gate wants one of 'buy', 'sell'",
                "failing (r4.yaml, priority 200): invalid: check failed: amount > 5",
                "win (r3.yaml, priority 300): 1 record",
                "late (r2.yaml, priority 900): 1 record, but an earlier rule has taken the message",
                "shadow (r1.yaml, priority 100, shadow): 1 record", "off (r9.yaml, priority 100): off",
            ]
        )
        #expect(compilation.rules?.counts.values.allSatisfy { $0.tried == 0 } == true)
    }

    @Test("captures stand under the lines of the text as it was written")
    func captures() throws {
        let path = try #require(Bundle.module.resourceURL?.appending(path: "Fixtures/gold-desk.yaml"))
        let compilation = compile(try String(contentsOf: path, encoding: .utf8))
        let explanation = try explain(compilation, "🔥 **𝐆𝐎𝐋𝐃** BUY 4626\nSL: 4620", channel: 12)
        let winner = try #require(explanation.winner)
        let text = Array(winner.text.utf8)
        let taken = winner.captures.compactMap { capture in
            capture.place.map { "\(capture.field)=\(String(decoding: text[$0], as: UTF8.self))" }
        }
        #expect(taken == ["ticker=𝐆𝐎𝐋𝐃**", "side=BUY", "entry_price=4626", "trading_stops[0].price=4620"])
        let shown = explanation.rendered(colour: false)
        #expect(
            shown.contains(
                """
                  🔥 **𝐆𝐎𝐋𝐃** BUY 4626
                       ^~~~~~ ticker
                              ^~~ side
                                  ^~~~ entry_price
                  SL: 4620
                      ^~~~ trading_stops[0].price
                """
            ),
            "\(shown)"
        )
        #expect(shown.contains("  ticker                  XAUUSD  match "))
        #expect(!shown.contains("\u{1B}"))
        #expect(explanation.rendered(colour: true).contains("\u{1B}[36m^~~ side\u{1B}[0m"))
    }

    @Test("a message cannot steer the terminal")
    func control() throws {
        let explanation = try explain(compile(rule()), "name=x \u{1B}[31m\u{7}")
        #expect(!explanation.rendered(colour: false).contains("\u{1B}"))
    }

    @Test(
        "every engine tells where its values come from",
        arguments: [
            ("engine: pairs\nfields: { name: { key: id } }", "id: x", "key id", "x"),
            (
                "engine: json\nfields: { name: { path: 'a[0].b' } }", #"see ```{"a":[{"b":"x"}]}```"#, "path a[0].b",
                "\"x\""
            ),
            ("engine: template\ntemplate: 'is {name}'", "hi\nis x", "template is {name}", "x"),
            ("fields: { name: [{ match: 'no(?<value>w)' }, { value: x }] }", "abc", "value", nil),
        ] as [(String, String, String, String?)]
    )
    func engines(lines: String, text: String, source: String, written: String?) throws {
        let compilation = compile("parser: t\nrecord: sample\n" + lines)
        #expect(compilation.messages == [])
        let parser = try #require(try explain(compilation, text).winner)
        let capture = try #require(parser.captures.first)
        #expect(parser.captures.count == 1)
        #expect((capture.field, capture.value, capture.source) == ("name", "x", source))
        let bytes = Array(parser.text.utf8)
        #expect(capture.place.map { String(decoding: bytes[$0], as: UTF8.self) } == written)
    }

    @Test("pieces of a split message keep their places in the whole")
    func split() throws {
        let compilation = compile(rule("t", "split: ';'"))
        let parser = try #require(try explain(compilation, "name=a; name=b").winner)
        #expect(parser.captures.map(\.place) == [5..<6, 13..<14])
    }
}
