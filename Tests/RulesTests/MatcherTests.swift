import Model
import Testing

@testable import Rules

@Suite("Candidates")
struct CandidateTests {
    private func rule(_ id: String, _ key: String, _ lines: String = "") -> String {
        "parser: \(id)\nrecord: sample\n\(lines)\nfields: { name: { match: '\(key)=(?<value>\\w+)' } }"
    }

    @Test("a rule that no literal of the text names is not tried")
    func untried() throws {
        let compilation = compile(
            rule("a", "alpha"),
            rule("b", "beta"),
            rule("c", "(?:gamma|\\d+)"),
            rule("d", "delta", "gate: [delta, epsilon]"),
            rule("e", "alpha", "channels: gold-room"),
            rule("f", "x", "channels: gold-room"),
            rule("g", "alpha", "status: shadow\ninput: content\nnormalize: []")
        )
        #expect(compilation.messages == [])
        let rules = try #require(compilation.rules)
        func tried(_ text: String, channel: UInt64 = 13) -> [String] {
            let before = rules.counts
            _ = rules.parse(message(text, channel: channel))
            return rules.counts.filter { $0.value.tried > before[$0.key]?.tried ?? 0 }.map(\.key).sorted()
        }
        #expect(tried("nothing") == ["c"])
        #expect(tried("ALPHA= here") == ["a", "c", "g"])
        #expect(tried("ALPHA= here", channel: 11) == ["a", "c", "e", "f", "g"])
        #expect(tried("**be**ta= 𝐝𝐞𝐥𝐭𝐚") == ["b", "c", "d"])
        #expect(tried("Epsilon") == ["c", "d"])
        #expect(tried("") == ["c"])
        // Taken by the first; the later ones are spared.
        #expect(tried("alpha=1") == ["a", "g"])
    }

    @Test("the gate of each rule is told, with where it comes from")
    func summary() throws {
        let rules = try #require(
            compile(rule("a", "alpha"), rule("b", "\\d"), rule("c", "x", "gate: [X, yes]")).rules
        )
        #expect(rules.parsers.map(\.gate) == [.derived(["alpha="]), .none, .given(["X", "yes"])])
    }

    /// One pass for all gates says what each gate says alone.
    @Test("candidates are those whose own gate admits the text", arguments: [1, 2, 10, 300])
    func agree(count: Int) throws {
        var random = SeededRandom(seed: UInt64(count))
        let letters = Array("abcABCксКС \u{212A}k\u{17F}s.1")
        func text(_ length: ClosedRange<Int>) -> String {
            String((0..<Int.random(in: length, using: &random)).map { _ in letters.randomElement(using: &random)! })
        }
        let gates = (0..<count).map { _ in LiteralGate((0..<2).map { _ in text(1...4) }) }
        let literals = Set(gates.flatMap(\.folded)).sorted { $0.lexicographicallyPrecedes($1) }
        let matcher = try #require(LiteralMatcher(literals))
        for _ in 0..<500 {
            let searched = NormalizedText(unchanged: Array(text(0...60).utf8)).searchable
            let hits = searched.withUnsafeBufferPointer { Array(matcher.scan($0)) }
            #expect(hits.count == Set(hits).count)
            let found = Set(hits.map { literals[Int($0)] })
            for gate in gates {
                #expect(gate.admits(searched) == gate.folded.contains { found.contains($0) })
            }
        }
    }
}
