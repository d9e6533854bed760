import Testing

@testable import Rules

@Suite("Normalizer")
struct NormalizerTests {
    @Test(
        "makes texts ready for patterns",
        arguments: [
            ("plain text 1,234.5", "plain text 1,234.5"),
            ("𝐁𝐔𝐘 𝑇𝑃𝟏", "BUY TP1"), ("ＢＵＹ　５", "BUY 5"), ("a\u{A0}b", "a b"), ("\u{200B}GOLD\u{FEFF} BUY", "GOLD BUY"),
            ("e\u{301}", "é"), ("68000–68500", "68000–68500"), ("ﬁne", "fine"),
            // Number signs beside digits never make another number.
            ("10² 5", "10 2  5"), ("TP①4500", "TP1 4500"), ("TP④ 4", "TP4  4"),
            // A picture is a space.
            ("100🎯200", "100 200"), ("🔥CALL", " CALL"), ("🇬🇧x", " x"), ("👨‍👩‍👧x", " x"), ("✖️SL", " SL"),
            ("TP1️⃣4500", "TP1 4500"),
            ("a<:rocket:123456>b", "a b"), ("a<a:rocket:123456>b", "a b"), ("<b:123>", "<b:123>"),
            // Markdown.
            ("**BUY** _now_", "BUY now"), ("***x***", "x"), ("__SL__: `4500`", "SL: 4500"), ("||4500||", "4500"),
            ("# Signal\n## Two\n> quoted\n-# small", "Signal\nTwo\nquoted\nsmall"), ("#BTC", "#BTC"),
            ("```yaml\nSL 1\n```", "\nSL 1\n"), ("[chart](https://x.yz/1_2_3) up", "chart up"),
            ("[1] (two)", "[1] (two)"),
            (#"\*not bold\*"#, "*not bold*"), ("2*3 snake_case_name", "2*3 snake_case_name"),
            ("* item\n* item", "* item\n* item"),
            ("<t:1770828600:R> <@&12_3_4>", "<t:1770828600:R> <@&12_3_4>"), ("a | b || c", "a | b || c"),
            // What is struck through is gone, and nothing that vanishes joins two numbers.
            ("SL ~~4500~~ 4510", "SL   4510"), ("45**10**", "45 10"), ("~~~", "~~~"),
            // Emoji, compatibility forms and markdown together.
            ("🛑 **𝖲𝖫**: ４４", "  SL: 44"),
        ]
    )
    func normalizes(text: String, expected: String) {
        #expect(Normalizer(.standard).normalize(text).text == expected)
    }

    @Test("a text of nothing but marks costs no more than its length")
    func marks() {
        let text = String(repeating: " _a", count: 10_000) + String(repeating: "a* ", count: 10_000)
        let start = ProcessorTime.now()
        #expect(Normalizer(.standard).normalize(text).text == text)
        #expect(ProcessorTime.now() - start < 1_000_000_000)
    }

    @Test("steps that are not asked for are not taken")
    func steps() {
        let text = "**𝐁** 🔥"
        #expect(Normalizer([]).normalize(text).text == text)
        #expect(Normalizer(.nfkc).normalize(text).text == "**B** 🔥")
        #expect(Normalizer(.stripMarkdown).normalize(text).text == "𝐁 🔥")
        #expect(Normalizer(.stripEmoji).normalize(text).text == "**𝐁**  ")
    }

    @Test("a place in the result leads back to the original")
    func origins() throws {
        let original = "🔥 **𝐁𝐔𝐘** at 44"
        let result = Normalizer(.standard).normalize(original)
        #expect(result.text == "  BUY at 44")
        func origin(of part: String) throws -> String {
            let bytes = Array(part.utf8)
            let start = try #require(
                result.bytes.indices.first { result.bytes[$0...].starts(with: bytes) }
            )
            let range = result.origin(of: start..<(start + bytes.count))
            return String(decoding: Array(original.utf8)[range], as: UTF8.self)
        }
        #expect(try origin(of: "44") == "44")
        #expect(try origin(of: "BU") == "𝐁𝐔")
        #expect(try origin(of: "at") == "at")
        #expect(result.origin(of: result.bytes.count) == original.utf8.count)
    }

    @Test("runs that are equal as text but spelt differently keep their own offsets")
    func spelling() {
        let normalizer = Normalizer(.nfkc)
        #expect(normalizer.normalize("é!").origin(of: 2) == 2)
        #expect(normalizer.normalize("e\u{301}!").origin(of: 2) == 3)
    }

    @Test("folding is for literal searches", arguments: [("BUY Now", "buy now"), ("ЛОНГ É", "лонг é")])
    func folds(text: String, expected: String) {
        let normalized = NormalizedText(unchanged: Array(text.utf8))
        #expect(String(decoding: NormalizedText.fold(normalized.bytes), as: UTF8.self) == expected)
    }
}
