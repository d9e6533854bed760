import Foundation
import Model
import PipelineFile
import Testing

@testable import Rules

@Suite("RuleSet: the clauses of a rule file")
struct RuleSetTests {
    @Test("fields: the first pattern that matches wins, a constant may end the list")
    func fields() {
        let rules = compile(
            rule(
                fields: """
                    amount:
                      - { match: 'a=(?<value>[\\d.,]+)' }
                      - { match: 'b=(?<value>[\\d.,]+)' }
                      - { value: 7 }
                    colour: { match: 'c=(?<value>\\w+)', map: { rot: red, GRÜN: Green } }
                    """
            )
        )
        #expect(rules.messages == [])
        #expect(rules.outcome("name=x b=2 a=1") == "name=x amount=1")
        #expect(rules.outcome("name=x b=2") == "name=x amount=2")
        #expect(rules.outcome("name=x") == "name=x amount=7")
        #expect(rules.outcome("name=x c=ROT") == "name=x amount=7 colour=Red")
        #expect(rules.outcome("name=x c=grün") == "name=x amount=7 colour=Green")
        #expect(rules.outcome("name=x c=GREEN") == "name=x amount=7 colour=Green")
        #expect(rules.outcome("a=1") == "unmatched")
    }

    @Test("a value that matched and does not convert makes the message invalid, and no later pattern is asked")
    func conversion() {
        let rules = compile(
            rule(fields: "amount:\n  - { match: 'a=(?<value>[\\d.,]+)' }\n  - { match: 'b=(?<value>[\\d.,]+)' }")
        )
        #expect(
            rules.outcome("name=x a=1.234,56 b=2")
                == "invalid: test: amount: '1.234,56' is not a number that reads only one way"
        )
        // Without the required field the text is not this rule's, whatever else fails.
        #expect(rules.outcome("a=1.234,56") == "unmatched")
    }

    @Test(
        "a number that is cut out of a longer one is no number",
        arguments: [
            ("68.5", "name=x amount=68.5"), ("68.5k", "'68.5' is cut out of '68.5k'"),
            ("1.5M", "'1.5' is cut out of '1.5M'"),
            ("15m", "name=x amount=15"), ("1.234,56", "'1.234' is cut out of '1.234,56'"),
            ("12,500", "'12' is cut out of '12,500'"),
            ("12, 500", "name=x amount=12"), ("4500.", "name=x amount=4500"), ("7x", "name=x amount=7"),
            ("9key", "name=x amount=9"),
        ]
    )
    func cutAfter(text: String, expected: String) {
        let rules = compile(rule(fields: "amount: { match: 'a=(?<value>\\d+(?:\\.\\d+)?)' }"))
        let got = rules.outcome("name=x a=\(text)")
        #expect(got.replacing("invalid: test: amount: ", with: "") == expected)
    }

    @Test(
        "nor may it lack its beginning",
        arguments: [
            ("TP 4.6", "'6' is cut out of '4.6'"), ("TP 16", "'6' is cut out of '16'"),
            ("TP .6", "'6' is cut out of '.6'"),
            ("TP.6", "name=x amount=6"), ("TP..6", "name=x amount=6"), ("TP:6", "name=x amount=6"),
            ("TP 5-6", "name=x amount=6"),
        ]
    )
    func cutBefore(text: String, expected: String) {
        let rules = compile(rule(fields: "amount: { match: '(?<value>6)' }"))
        let got = rules.outcome("name=x \(text)")
        #expect(got.replacing("invalid: test: amount: ", with: "") == expected)
    }

    @Test("a required field that does not convert makes the message invalid, when all required fields are there")
    func requiredConversion() {
        let signal = """
            parser: s
            record: trading_signal
            fields:
              side: { match: 'side=(?<value>\\w+)' }
              ticker: { match: 'ticker=(?<value>\\w+)' }
              entry_price: { match: 'at=(?<value>\\d+)' }
            """
        let rules = compile(signal)
        #expect(rules.outcome("side=up ticker=X at=5") == "invalid: s: side: 'up' is not one of long, short")
        #expect(rules.outcome("side=up at=5") == "unmatched")
        #expect(
            rules.outcome("side=LONG ticker=X at=5")
                == "ticker=X side=long status=opened entry_type=market entry_price=5"
        )
        #expect(rules.outcome("side=long ticker=X at=0") == "invalid: s: check failed: entry_price > 0")
        #expect(
            rules.outcome("side=long ticker=X") == "invalid: s: check failed: entry_price or trading_stops"
        )
    }

    @Test("a group that took no part, or took only white space, is absent")
    func absent() {
        let rules = compile(
            rule(fields: "amount: { match: 'a=(?<value>\\d+)?' }\ncolour: { match: 'c=\"(?<value>[^\"]*)\"' }")
        )
        #expect(rules.outcome("name=x a= c=\"  \"") == "name=x")
        #expect(rules.outcome("name=x a=1 c=\" red \"") == "name=x amount=1 colour=Red")
    }

    @Test("decimal: comma, for the file or for one entry")
    func decimal() {
        let field = "amount: { match: 'a=(?<value>\\S+)' }\ncount: { match: 'n=(?<value>\\S+)', decimal: point }"
        let rules = compile(rule("test", "decimal: comma", fields: field))
        #expect(rules.outcome("name=x a=1.234,56 n=1,000") == "name=x count=1000 amount=1234.56")
        #expect(
            compile(rule(fields: "amount: { match: 'a=(?<value>\\S+)', decimal: comma }")).outcome("name=x a=0,5")
                == "name=x amount=0.5"
        )
    }

    @Test("lists: every match of each entry, in the order of the text, nothing read twice")
    func lists() {
        let rules = compile(
            rule(
                "test",
                """
                lists:
                  parts:
                    - { match: 'big (?<size>[\\d.k]+)', set: { sort: big } }
                    - { match: '(?<label>\\w+) (?<size>[\\d.k]+)', map: { label: { pt: part, bg: BIG } } }
                """
            )
        )
        #expect(rules.messages == [])
        #expect(
            rules.outcome("name=x; small 1; big 2k; pt 3; big 4.5")
                == "name=x parts=[label=small size=1][size=2000 sort=big][label=part size=3][size=4.5 sort=big]"
        )
        #expect(rules.outcome("name=x") == "name=x")
        #expect(
            rules.outcome("name=x; big 1.2.3")
                == "invalid: test: parts.size: '1.2.3' is not a number that reads only one way"
        )
    }

    @Test("a chain of matches goes on where the last one ended")
    func chain() {
        let rules = compile(
            rule("test", "lists:\n  parts: { match: '(?:sizes|\\G(?<=\\d))[ ,]+(?<size>\\d+)' }")
        )
        #expect(rules.outcome("name=x sizes 1, 2, 3 and 4") == "name=x parts=[size=1][size=2][size=3]")
    }

    @Test("an element whose required value took no part makes the message invalid")
    func elementWithoutValue() {
        let rules = compile(rule("test", "lists:\n  parts: { match: 'part (?<label>\\w+)(?: (?<size>\\d+))?' }"))
        #expect(rules.outcome("name=x part a 1") == "name=x parts=[label=a size=1]")
        #expect(rules.outcome("name=x part a.") == "invalid: test: parts.size: a match gave no value for it")
    }

    @Test("split: each piece is parsed on its own, and half a message is never written")
    func split() {
        let rules = compile(
            rule("test", "split: '\\n--+\\n'\ncover: '\\bx\\d'", fields: "amount: { match: 'x(?<value>\\S+)' }")
        )
        #expect(rules.outcome("name=a x1\n---\nname=b x2") == "name=a amount=1 | name=b amount=2")
        #expect(rules.outcome("hello\n---\nname=b x2\n---\n\n") == "name=b amount=2")
        #expect(rules.outcome("hello\n---\nbye") == "unmatched")
        #expect(
            rules.outcome("name=a x1\n---\nname=b x2.")
                == "invalid: test: amount: '2.' is not a number that reads only one way"
        )
        // What `cover` finds in a piece that is no record is lost too.
        #expect(rules.outcome("name=a x1\n---\nx2") == "invalid: test: cover: nothing read 'x2'")
    }

    @Test("a piece's borders are borders of a text")
    func pieceBorders() {
        let rules = compile(rule("test", "split: ';'", fields: "amount: { match: '^a=(?<value>\\d+)$' }"))
        #expect(rules.outcome("name=x;a=1") == "name=x")
        #expect(compile(rule("t", "split: '(?=name=)'")).outcome("name=a name=b") == "name=a | name=b")
    }

    @Test("cover: every hit lies inside what a pattern took")
    func cover() {
        let rules = compile(rule("test", "cover: 'a=\\d'", fields: "amount: { match: 'a=(?<value>\\d+)' }"))
        #expect(rules.outcome("name=x a=12") == "name=x amount=12")
        #expect(rules.outcome("name=x a=12 a=13") == "invalid: test: cover: nothing read 'a=1'")
        #expect(rules.outcome("a=12 a=13") == "unmatched")
    }

    @Test("check: of the file")
    func check() {
        let rules = compile(
            rule("test", "check: [amount > 1, \"name != 'y'\"]", fields: "amount: { match: 'a=(?<value>\\d+)' }")
        )
        #expect(rules.outcome("name=x a=2") == "name=x amount=2")
        #expect(rules.outcome("name=x") == "name=x")
        #expect(rules.outcome("name=x a=1") == "invalid: test: check failed: amount > 1")
        #expect(rules.outcome("name=y a=2") == "invalid: test: check failed: name != 'y'")
    }

    @Test("gate: one literal must occur, whatever its case")
    func gate() {
        let rules = compile(rule("test", "gate: [Alert, ЛОНГ]"))
        #expect(rules.outcome("name=x") == "unmatched")
        #expect(rules.outcome("ALERT name=x") == "name=x")
        #expect(rules.outcome("лонг name=x") == "name=x")
        #expect(rules.rules?.counts["test"]?.tried == 2)
    }

    @Test(
        "channels: names, ids and globs",
        arguments: [
            ("gold-*", [11, 12]), ("gold-room", [11]), ("\"13\"", [13]), ("[chat, gold-desk]", [12, 13]),
            ("\"*\"", [11, 12, 13]),
            ("\"????\"", [13]), ("\"777\"", []),
        ] as [(String, [UInt64])]
    )
    func channels(value: String, admitted: [UInt64]) {
        let rules = compile(rule("test", "channels: \(value)"))
        #expect(rules.messages == [])
        #expect([11, 12, 13].filter { rules.outcome("name=x", channel: $0) == "name=x" } == admitted)
    }

    @Test("input: content, embeds, or content before embeds")
    func input() {
        func outcome(_ input: String, _ content: String) -> String {
            compile(rule("test", "input: \(input)")).outcome(content, embed: "name=embed")
        }
        #expect(outcome("text", "name=content") == "name=content")
        #expect(outcome("text", "") == "name=embed")
        #expect(outcome("content", "") == "unmatched")
        #expect(outcome("embeds", "name=content") == "name=embed")
    }

    @Test("normalize: the three steps unless the file says otherwise")
    func normalize() {
        let text = "parser: t\nrecord: sample\nfields: { name: { match: 'name=(?<value>\\w+)' } }"
        #expect(compile(text).outcome("**na**me=𝐱") == "name=x")
        #expect(compile(text + "\nnormalize: []").outcome("**na**me=𝐱") == "unmatched")
        #expect(compile(text + "\nnormalize: [nfkc]").outcome("name=𝐱") == "name=x")
    }
}

@Suite("RuleSet: a whole file")
struct WholeRuleTests {
    /// All clauses together, as the page on the rule language shows them.
    @Test("reads what it should and says why not")
    func goldDesk() throws {
        let path = try #require(Bundle.module.resourceURL?.appending(path: "Fixtures/gold-desk.yaml"))
        let rules = compile(try String(contentsOf: path, encoding: .utf8))
        #expect(rules.messages == [])
        #expect(rules.examples.map(\.passed) == Array(repeating: true, count: 6))
        #expect(rules.outcome("GOLD BUY 4626\nSL 4620", channel: 12).hasPrefix("ticker=XAUUSD side=long status=opened"))
        // The label takes the 4 and the point for itself, and would leave a price of 6000.
        #expect(
            rules.outcome("GOLD sell 4650\nTP 4.6k")
                == "invalid: gold-desk: trading_stops.price: '6k' is cut out of '4.6k'"
        )
        #expect(rules.outcome("GOLD BUY 4626\nSL 4620 TP 4630") == "invalid: gold-desk: cover: nothing read 'TP'")
        #expect(
            rules.outcome("GOLD BUY 4626\nSL 4630")
                == "invalid: gold-desk: check failed: side != 'long' or trading_stops.stop_loss.price < entry_price"
        )
        #expect(rules.outcome("GOLD BUY now") == "invalid: gold-desk: check failed: entry_price or trading_stops")
        #expect(rules.outcome("buying gold soon") == "unmatched")
    }
}

@Suite("RuleSet: several rules")
struct RuleOrderTests {
    private func simple(_ id: String, _ key: String, _ lines: String = "") -> String {
        """
        parser: \(id)
        record: sample
        normalize: []
        \(lines)
        fields:
          name: { match: '\(key)=(?<value>\\w+)' }
          amount: { match: '\(key)amount=(?<value>\\S+)' }
        """
    }

    @Test("lower priority first, the first that succeeds wins")
    func priority() throws {
        let compilation = compile(simple("late", "n", "priority: 20"), simple("early", "n", "priority: 3"))
        let parsed = try #require(compilation.rules).parse(message("n=x"))
        #expect(parsed.parser == "early")
        #expect(parsed.source == .rule)
        #expect(parsed.parserVersion?.count == 12)
        #expect(parsed.reason == nil)
    }

    @Test("an invalid message stays invalid unless a later rule succeeds")
    func invalid() {
        let rules = compile(simple("first", "a", "priority: 1"), simple("second", "b", "priority: 2"))
        #expect(rules.outcome("a=x aamount=?") == "invalid: first: amount: '?' is not a number that reads only one way")
        #expect(rules.outcome("a=x aamount=? b=y") == "name=y")
        #expect(
            rules.outcome("a=x aamount=? b=y bamount=?")
                == "invalid: first: amount: '?' is not a number that reads only one way"
        )
    }

    @Test("a shadow rule is counted and writes nothing, one that is off does not run")
    func status() throws {
        let compilation = compile(
            simple("live", "a"),
            simple("shadow", "a", "status: shadow"),
            simple("off", "a", "status: off")
        )
        #expect(compilation.messages == [])
        #expect(compilation.outcome("a=x") == "name=x")
        let rules = try #require(compilation.rules)
        #expect(rules.parsers.map(\.id) == ["live", "shadow", "off"])
        #expect(rules.parsers.map(\.status) == [.live, .shadow, .off])
        #expect(rules.counts["shadow"]?.parsed == 1)
        #expect(rules.counts["live"]?.parsed == 1)
        #expect(rules.counts["off"] == nil)
        #expect(compile(simple("shadow", "a", "status: shadow")).outcome("a=x") == "unmatched")
    }

    @Test("a rule that hits the limit is counted and named, and the message goes on")
    func limit() throws {
        let runaway = """
            parser: runaway
            record: sample
            priority: 1
            fields: { name: { match: '(?<value>(a+)+$)' } }
            """.replacing("(a+)+", with: "(?:a+)+")
        let compilation = compile(runaway, simple("good", "n"), examples: false)
        #expect(compilation.outcome("n=x " + String(repeating: "a", count: 2000) + "!") == "name=x")
        #expect(compilation.rules?.limitHits == ["runaway": 1])
    }

    @Test("a text past the input cap is tried on no rule")
    func cap() {
        let rules = compile(simple("a", "n"))
        #expect(rules.outcome("n=x " + String(repeating: " ", count: RuleSet.longestText)) == "unmatched")
        #expect(rules.rules?.oversized == 1)
        #expect(rules.outcome("n=x " + String(repeating: " ", count: 60_000)) == "name=x")
    }

    @Test("the hash follows the content")
    func version() {
        func hash(_ text: String) -> String? { compile(text).rules?.parsers.first?.version }
        #expect(hash(simple("a", "n")) == hash(simple("a", "n")))
        #expect(hash(simple("a", "n")) != hash(simple("a", "m")))
        // The published test vector of FNV-1a for "foobar".
        #expect(ContentHash.of("foobar") == "85944171f739")
    }
}
