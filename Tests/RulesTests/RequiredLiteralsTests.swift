import Testing

@testable import Rules

@Suite("RequiredLiterals")
struct RequiredLiteralsTests {
    @Test(
        "what must occur is found",
        arguments: [
            ("name=\\w+", ["name="]), ("\\bENTRY\\W{0,3}(?<value>\\d+)", ["entry"]),
            ("(?:BUY|SELL)\\s+", ["buy", "sell"]), ("(?<value>LONG|SHORT)", ["long", "short"]),
            ("(?<value>GOLD|[A-Z]{2,10}/?USDT?)", ["gold", "usd"]), ("(?|take (a)|stop (b))", ["stop b", "take a"]),
            ("colou?r", ["color", "colour"]), ("abc+d", ["abc"]), ("ab{2}cde", ["bcde"]), ("x*abcd?", ["abc"]),
            ("(?:TP|SL)[ ]at", ["sl at", "tp at"]), ("(?i)(?-i:[A-Z]+) opened", [" opened"]),
            ("(?=foo)bar(?!baz)", ["bar"]), ("\\$price\\.now", ["$price.now"]), ("多单入场", ["多单入场"]),
            ("(?:abc)+", ["abc"]), ("one|two|(?:three)", ["one", "three", "two"]), ("a{1}bcd{0}ef", ["abc"]),
            ("[Kk]ind", ["kind"]), ("a{b}c", ["a{b}c"]), ("[]a]bcd", ["]bcd", "abcd"]), ("a-b_c", ["a-b_c"]),
        ] as [(String, [String])]
    )
    func found(pattern: String, expected: [String]) {
        let shortened = expected.filter { literal in !expected.contains { $0 != literal && literal.contains($0) } }
        #expect(RequiredLiterals.of(pattern) == shortened.sorted())
    }

    @Test(
        "in doubt nothing",
        arguments: [
            "\\d+", "(?:abc)?", "(?:abc)*", "(?:abc){0,3}", "abc|\\d+", "abc|", "ab", "[a-z]bc", "[^a]bc", "a.b.c",
            "(?x)a b c d", "\\Qabc\\E", "(?(1)abc|def)", "(*UCP)abc", "(?#abc)", "ab\\x41cd", "лонг", "(abc)\\1",
            "(?R)abc",
            "(?!abc)", "a{,3}bcd", "a{ 2 }bcd", "\\N{U+41}bcd", "[\\bx]abc", "(?&name)abc", "ß日",
        ]
    )
    func none(pattern: String) {
        #expect(RequiredLiterals.of(pattern) == nil)
    }

    /// Texts made from the patterns' own pieces: whatever matches must hold one of the literals.
    @Test("no text that matches is without them")
    func sound() throws {
        let limits = MatchLimits()
        var random = SeededRandom(seed: 7)
        let atoms = [
            "a", "b", "ab", "K", "s", ".", "\\d", "[ab]", "[^a]", "(?:ab|k)", "(?<x>s|ab)", "(?:)", "\\b", "^", "x-y",
            "(?=a)",
            "(?:a|b|)", "\\.", "(?:ab(?:k|s)+)", "é",
        ]
        let quantifiers = ["", "", "", "", "?", "*", "+", "{2}", "{0,1}", "{2,}", "+?", "*+"]
        let letters = ["a", "b", "k", "K", "\u{212A}", "s", "\u{17F}", "S", "x-y", "1", ".", " ", "\n", "é", "É"]
        var checked = 0
        for _ in 0..<5000 {
            let source = (0..<Int.random(in: 2...6, using: &random)).map { _ in
                let isAlternative = Int.random(in: 0..<8, using: &random) == 0
                return (isAlternative ? "|" : "") + atoms.randomElement(using: &random)!
                    + quantifiers.randomElement(using: &random)!
            }.joined()
            guard let pattern = try? Pattern(source.replacing("(?<x>", with: "("), limits: limits),
                let literals = RequiredLiterals.of(pattern.source)
            else { continue }
            let gate = LiteralGate(literals)
            for _ in 0..<40 {
                let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    letters.randomElement(using: &random)!
                }.joined()
                let bytes = NormalizedText(unchanged: Array(text.utf8))
                guard bytes.bytes.withUnsafeBufferPointer({ pattern.match($0) }) == .matched else { continue }
                checked += 1
                #expect(gate.admits(bytes.searchable), "\(source) matches '\(text)' without one of \(literals)")
            }
        }
        #expect(checked > 500)
    }
}

/// The same numbers for the same seed on every machine (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
