import Testing

@testable import Rules

@Suite("Pattern")
struct PatternTests {
    private func match(_ source: String, _ text: String, from start: Int = 0) throws -> String? {
        let pattern = try Pattern(source, limits: MatchLimits())
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer { bytes in
            switch pattern.match(bytes, from: start) {
            case .matched: return String(decoding: bytes[pattern.matchedRange], as: UTF8.self)
            case .noMatch: return nil
            case let outcome:
                Issue.record("\(outcome)")
                throw PatternError(problem: "\(outcome)", offset: 0)
            }
        }
    }

    @Test("reads without case, by lines, in Unicode")
    func options() throws {
        #expect(try match("лонг", "иду в ЛОНГ") == "ЛОНГ")
        #expect(try match("^b$", "a\nB\nc") == "B")
        #expect(try match("^b$", "a\r\nb\r\nc") == "b")
        #expect(try match(#"\w+"#, "–Ünï") == "Ünï")
        #expect(try match("x", "") == nil)
        #expect(try match("^$", "") == "")
        #expect(try match(#"\Gb"#, "ab", from: 1) == "b")
    }

    @Test(
        "finds every match, and goes on after an empty one",
        arguments: [
            ("a", "banana", [1..<2, 3..<4, 5..<6]), ("", "né", [0..<0, 1..<1, 3..<3]),
            ("x*", "xxé", [0..<2, 2..<2, 4..<4]),
            ("(?<=n)", "nn", [1..<1, 2..<2]), (#"\Gb"#, "bbab", [0..<1, 1..<2]), ("^", "a\nb", [0..<0, 2..<2]),
            ("z", "", []),
        ] as [(String, String, [Range<Int>])]
    )
    func everyMatch(source: String, text: String, expected: [Range<Int>]) throws {
        let pattern = try Pattern(source, limits: MatchLimits())
        var found: [Range<Int>] = []
        let outcome = Array(text.utf8).withUnsafeBufferPointer { bytes in
            pattern.forEachMatch(in: bytes) { range in
                found.append(range)
                return true
            }
        }
        #expect(outcome == .noMatch)
        #expect(found == expected)
    }

    @Test("a runaway pattern stops at the limit, at once")
    func limit() throws {
        let pattern = try Pattern("(a+)+$", limits: MatchLimits())
        let text = Array((String(repeating: "a", count: 2000) + "!").utf8)
        let clock = ContinuousClock()
        var outcome: Pattern.Outcome?
        let time = clock.measure { outcome = text.withUnsafeBufferPointer { pattern.match($0) } }
        #expect(outcome == .limitHit)
        #expect(time < .milliseconds(20))
    }

    @Test("names its groups, and alternatives may share one")
    func groups() throws {
        let pattern = try Pattern("(?|(?<value>a)|b(?<value>c))(?<other>d)?", limits: MatchLimits())
        #expect(pattern.groupNames == ["value", "other"])
        let text = Array("bc".utf8)
        text.withUnsafeBufferPointer { #expect(pattern.match($0) == .matched) }
        #expect(pattern.range(of: pattern.groups(named: "value")) == 1..<2)
        #expect(pattern.range(of: pattern.groups(named: "other")) == nil)
        #expect(pattern.groups(named: "none") == [])
    }

    @Test("an error has its place", arguments: [("a(b", 3), ("[z-a]", 3), ("*a", 0), (#"a\"#, 2)])
    func errors(source: String, offset: Int) {
        #expect { try Pattern(source, limits: MatchLimits()) } throws: { ($0 as? PatternError)?.offset == offset }
    }
}

@Suite("PatternPieces")
struct PatternPiecesTests {
    @Test("pieces stand in groups of their own, also inside each other")
    func expands() throws {
        var pieces = PatternPieces(["num": #"\d+"#, "range": "%{num}-%{num}"])
        #expect(try pieces.expand("a%{range}b|%{num}").text == #"a(?:(?:\d+)-(?:\d+))b|(?:\d+)"#)
        #expect(try pieces.expand("100%").text == "100%")
    }

    @Test("offsets lead back to the pattern as written")
    func offsets() throws {
        var pieces = PatternPieces(["n": "12345"])
        let expansion = try pieces.expand("ab%{n}cd")
        #expect(expansion.text == "ab(?:12345)cd")
        #expect([0, 1, 2, 6, 11, 12].map(expansion.writtenOffset) == [0, 1, 2, 2, 6, 7])
    }

    @Test("an unknown piece and one that contains itself are named")
    func problems() {
        var pieces = PatternPieces(["num": "1", "a": "%{b}", "b": "x%{a}"])
        #expect(
            throws: PatternPieces.Problem(message: "'%{nun}' is not defined; did you mean '%{num}'?", offset: 1)
        ) { try pieces.expand("x%{nun}") }
        #expect(
            throws: PatternPieces.Problem(message: "'%{a}' contains itself: %{a} → %{b} → %{a}", offset: 0)
        ) { try pieces.expand("%{a}") }
    }
}
