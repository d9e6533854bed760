import Model
import Testing

@testable import Rules

@Suite("Engine pairs")
struct PairsEngineTests {
    private let lines = """
        parser: test
        record: trading_signal
        engine: pairs
        cover: '(?i)\\b(?:sl|tp\\d*)\\b'
        fields:
          ticker: { key: [pair, symbol], remove: "/", case: upper }
          side: { key: [direction, side], map: { buy: long, sell: short } }
          entry_price:
            - { key: entry, match: '^(?<value>[\\d.,k]+)' }
            - { key: ["entry price"] }
          entry_high: { key: entry, match: '-[ \\t]*(?<value>[\\d.,k]+)$' }
          entry_type: { value: limit }
        lists:
          trading_stops:
            - { key: [sl, "stop loss"], field: price, set: { type: stop_loss } }
            - { key: ["tp*", targets], match: '(?<price>\\d[\\d.]*k?)', set: { type: take_profit } }
        """

    @Test(
        "reads lines of keys and values",
        arguments: [
            (
                "Pair: btc/usdt\nDirection = BUY\nEntry: 68,000 - 68,500\nSL: 67k\nTP1: 69000\nTP2 := 70k",
                "ticker=BTCUSDT side=long status=opened entry_type=limit entry_price=68000 entry_high=68500 "
                    + "trading_stops=[type=stop_loss price=67000][type=take_profit price=69000][type=take_profit price=70000]"
            ),
            (
                "• **Symbol**: ETH\n🔻 Side: sell\n  Entry   Price : 3000\nTargets: 2900, 2800\nStop Loss => 3100\nhave fun",
                "ticker=ETH side=short status=opened entry_type=limit entry_price=3000 "
                    + "trading_stops=[type=take_profit price=2900][type=take_profit price=2800][type=stop_loss price=3100]"
            ),
            (
                "Pair: BTC\nPair: BTC\nSide: long\nentry: 5",
                "ticker=BTC side=long status=opened entry_type=limit entry_price=5"
            ),
            (
                "Pair: BTC\nSymbol: ETH\nSide: long\nentry: 5",
                "invalid: test: ticker: key pair, symbol has several values"
            ),
            ("Pair: BTC\nSide: up", "invalid: test: side: 'up' is not one of long, short"),
            ("Pair: BTC\nSide: long\nEntry: 5\nrisky, sl later", "invalid: test: cover: nothing read 'sl'"),
            ("Pair BTC\nSide: long", "unmatched"), ("Pair:\nSide: long", "unmatched"), ("", "unmatched"),
        ]
    )
    func reads(text: String, expected: String) {
        let compilation = compile(lines)
        #expect(compilation.messages == [])
        #expect(compilation.outcome(text) == expected)
    }

    @Test("the gate comes from the keys of required fields, unless they are globs or short")
    func gate() throws {
        func gate(_ key: String) -> ParserSummary.Gate? {
            compile("parser: t\nrecord: sample\nengine: pairs\nfields: { name: { key: \(key) } }").rules?.parsers.first?
                .gate
        }
        #expect(gate("[Full Name, title]") == .derived(["full", "title"]))
        #expect(gate("['na*', title]") == ParserSummary.Gate.none)
        #expect(gate("[id]") == ParserSummary.Gate.none)
    }

    @Test("split gives one record a piece")
    func split() {
        let rules = compile(
            "parser: t\nrecord: sample\nengine: pairs\nsplit: '\\n\\n'\nfields: { name: { key: name } }"
        )
        #expect(rules.outcome("name: a\n\nname: b") == "name=a | name=b")
        #expect(rules.outcome("name: a\nname: b") == "invalid: t: name: key name has several values")
    }
}

@Suite("Engine template")
struct TemplateEngineTests {
    private func outcome(_ template: String, _ text: String, fields: String = "", lists: String = "") -> String {
        let compilation = compile(
            """
            parser: t
            record: trading_signal
            engine: template
            template: \(template)
            fields:
              side: { map: { BUY: long, SELL: short } }
            \(fields)
            \(lists)
            """,
            examples: true
        )
        return compilation.messages.isEmpty
            ? compilation.outcome(text).replacing(" status=opened entry_type=market", with: "")
            : compilation.messages.joined(separator: "\n")
    }

    @Test(
        "reads the shapes it shows, and nothing else",
        arguments: [
            ("'{side} {ticker} @ {entry_price}'", "BUY BTC @ 68,500", "ticker=BTC side=long entry_price=68500"),
            ("'{side} {ticker} @ {entry_price}'", "  sell\tETH  @ 3.1k ", "ticker=ETH side=short entry_price=3100"),
            ("'{side} {ticker} @ {entry_price}'", "hello\nlong BTC @ $5\nbye", "ticker=BTC side=long entry_price=5"),
            ("'{side} {ticker} @ {entry_price}'", "BUY BTC @ 68500 now", "unmatched"),
            ("'{side} {ticker} @ {entry_price}'", "BUY the dip @ 68500", "unmatched"),
            ("'{side} {ticker} @ {entry_price}'", "BUY BTC@5", "unmatched"),
            ("'{side} {ticker} @ {entry_price}'", "BUY BTC @ 1.234,56", "invalid: t: entry_price: "),
            ("'... {side} {ticker} @ {entry_price} ...'", "BUY BTC @ 5", "ticker=BTC side=long entry_price=5"),
            ("'... {side} {ticker} @ {entry_price} ...'", "we BUY BTC @ 5 now", "ticker=BTC side=long entry_price=5"),
            ("'... {side} {ticker} @ {entry_price} ...'", "rebuy BTC @ 5 now", "unmatched"),
            (
                "'{side} {ticker} [@ {entry_price}] now'", "buy BTC now",
                "invalid: t: check failed: entry_price or trading_stops"
            ),
            ("'{side} {ticker} [@ {entry_price}] now'", "buy BTC @ 7 now", "ticker=BTC side=long entry_price=7"),
            ("'[hey] {side} {ticker} {entry_price}'", "BUY BTC 5", "ticker=BTC side=long entry_price=5"),
            ("'[hey] {side} {ticker} {entry_price}'", "hey BUY BTC 5", "ticker=BTC side=long entry_price=5"),
            ("'{side} {ticker...}: {entry_price}'", "Buy Big Coin: 5", "ticker=Big Coin side=long entry_price=5"),
            (
                "'{side} {ticker} {leverage}x {entry_price}.'", "Buy B 10x 5.5.",
                "ticker=B side=long entry_price=5.5 leverage=10"
            ),
            (#"'\[{side}\] {ticker} ({entry_price})'"#, "[buy] B (5)", "ticker=B side=long entry_price=5"),
            (#""{side} {ticker}\n{entry_price}""#, "buy B\n\n 5", "ticker=B side=long entry_price=5"),
            (
                "['{ticker} {side} {entry_price}', '{side} {ticker} {entry_price}']", "buy B 5",
                "ticker=B side=long entry_price=5"
            ),
        ]
    )
    func reads(template: String, text: String, expected: String) {
        let got = outcome(template, text)
        #expect(expected.hasPrefix("invalid") ? got.hasPrefix(expected) : got == expected, "\(got)")
    }

    @Test("constants stand where no placeholder gives a value, and lists have templates too")
    func more() {
        let lists = """
            lists:
              trading_stops:
                - { template: 'SL {price}', set: { type: stop_loss } }
                - { template: '{type}[:] {price}', map: { type: { TP: take_profit } } }
            """
        let got = outcome(
            "'{side} {ticker} [{entry_type}]'",
            "buy B limit\nTP: 7\nSL 4\ntp 8",
            fields: "  entry_type: { value: market }",
            lists: lists
        )
        #expect(
            got == "ticker=B side=long status=opened entry_type=limit "
                + "trading_stops=[type=take_profit price=7][type=stop_loss price=4][type=take_profit price=8]"
        )
    }

    @Test(
        "is checked on load",
        arguments: [
            ("'{side} {tickr}'", "r1.yaml:4:20: no field 'tickr'; did you mean 'ticker'?"),
            ("'{side'", "r1.yaml:4:12: the brace is not closed"),
            ("'BUY'", "r1.yaml:4:12: the template has no placeholder"),
            (
                "'{side} [{ticker}]'",
                "r1.yaml:4:11: the template lacks '{ticker}', which record 'trading_signal' requires"
            ),
            ("'{ticker} {ticker}'", "r1.yaml:4:21: '{ticker}' stands twice"),
            ("'a ] {ticker}'", "r1.yaml:4:14: nothing opens"),
            ("'{ticker} [now'", "r1.yaml:4:21: the bracket is not closed"),
            ("[]", "r1.yaml:4:11: 'template' has no template"),
        ]
    )
    func checked(template: String, expected: String) {
        #expect(
            outcome(template, "").split(separator: "\n").contains { $0.hasPrefix(expected) },
            "\(outcome(template, ""))"
        )
    }
}

@Suite("Engine json")
struct JSONEngineTests {
    private let lines = """
        parser: t
        record: sample
        engine: json
        records: 'orders[*]'
        fields:
          name: { path: id }
          count: { path: 'legs[0].n' }
          amount: { path: '["price.usd"]' }
          done: { path: done }
          at: { path: at }
          data: { path: legs }
          colour: { path: tags, match: 'colou?r=(?<value>\\w+)' }
        lists:
          parts:
            - { path: 'legs[*]', fields: { size: n, label: kind }, set: { sort: big } }
            - { path: 'sizes[*]', field: size, set: { sort: small } }
        """

    @Test(
        "takes values by path from a code block",
        arguments: [
            (
                #"{"orders":[{"id":"a_*b*","legs":[{"n":1,"kind":"x"},{"n":2.50}],"price.usd":1e3,"done":true,"#
                    + #""at":"2026-03-01T12:00:00Z","tags":"colour=red","sizes":["1,000",7]}]}"#,
                "name=a_*b* count=1 amount=1000 done=true at=2026-03-01T12:00:00Z colour=Red "
                    + #"data=[{"n":1,"kind":"x"},{"n":2.50}] "#
                    + "parts=[label=x size=1 sort=big][size=2.5 sort=big][size=1000 sort=small][size=7 sort=small]"
            ),
            (#"{"orders":[{"id":"a"},{"x":1},{"id":"b"}]}"#, "name=a | name=b"),
            (#"{"orders":[{"id":7,"price.usd":"1.234,56"}]}"#, "invalid: t: amount: "),
            (#"{"orders":[{"id":null}]}"#, "unmatched"), (#"{"orders":{}}"#, "unmatched"), ("{broken", "unmatched"),
            ("", "unmatched"),
        ]
    )
    func reads(json: String, expected: String) {
        let compilation = compile(lines)
        #expect(compilation.messages == [])
        for text in [json, "see:\n```json\n\(json)\n```\nbye", "```\nnot this\n``` but ```\(json)```"] {
            let got = compilation.outcome(text)
            #expect(expected.hasSuffix(": ") ? got.hasPrefix(expected) : Self.same(got, expected), "\(got)")
        }
    }

    /// Fields come in the order of the record type.
    private static func same(_ got: String, _ expected: String) -> Bool {
        got.split(separator: " ").sorted() == expected.split(separator: " ").sorted()
    }

    @Test(
        "is checked on load",
        arguments: [
            ("a..b", "r1.yaml:4:28: a name is missing here"), ("a[x]", "r1.yaml:4:28: in brackets stands"),
            ("a[1", "r1.yaml:4:27: the bracket is not closed"), ("a[0]b", "r1.yaml:4:30: a '.' or '[' is missing here"),
        ]
    )
    func checked(path: String, expected: String) {
        let text = "parser: t\nrecord: sample\nengine: json\nfields: { name: { path: '\(path)' } }"
        #expect(compile(text).messages.first?.hasPrefix(expected) == true, "\(compile(text).messages)")
    }

    @Test("clauses of other engines are unknown keys")
    func foreign() {
        let text = "parser: t\nrecord: sample\nengine: json\nsplit: x\nnormalize: [nfkc]\nfields: { name: { key: x } }"
        let messages = compile(text).messages
        #expect(messages.contains { $0.hasPrefix("r1.yaml:4:1: unknown key 'split'") })
        #expect(messages.contains { $0.hasPrefix("r1.yaml:5:1: unknown key 'normalize'") })
        #expect(messages.contains { $0.hasPrefix("r1.yaml:6:19: unknown key 'key'") })
    }
}

@Suite("Engine embed")
struct EmbedEngineTests {
    private let lines = """
        parser: t
        record: sample
        engine: embed
        gate: [opened]
        fields:
          name: { path: title, match: '^\\[(?<value>[^\\]]+)\\]' }
          amount: { path: fields.Total paid }
          count: { path: 'fields[1].value' }
          data: { path: fields }
          colour: { path: footer, map: { crimson: Red } }
        lists:
          parts:
            - { path: 'fields.Part *', field: size, set: { sort: small } }
            - { path: description, match: '(?<label>\\w+)=(?<size>\\d+)', set: { sort: big } }
        """

    @Test("takes values from titles, fields by name and the rest; each embed is a record")
    func reads() {
        let example = """

            examples:
              - embeds:
                  - title: '[**repo**] opened'
                    description: 'a=1 b=2'
                    footer: Crimson
                    fields: { '💰 **Total paid:**': '1,500', 'Part 1': '3', Other: x, 'part 2': 4 }
                expect:
                  - name: repo
                    amount: 1500
                    count: 3
                    colour: Red
                    data: null
                    parts: [{ size: 3 }, { size: 4 }]
            """
        let compilation = compile(lines.replacing("  data: { path: fields }\n", with: "") + example)
        // The order of parts is that of the embed: its fields, as written here, follow its description.
        #expect(
            compilation.examples.first?.got.filter { $0.contains("parts") } == [
                "  parts 1: label: a, size: 1", "  parts 2: label: b, size: 2", "  parts 3: size: 3, sort: small",
                "  parts 4: size: 4, sort: small",
            ]
        )
        #expect(compilation.examples.first?.passed == false)
        let fixed = example.replacing(
            "[{ size: 3 }",
            with: "[{ label: a, size: 1 }, { label: b, size: 2 }, { size: 3 }"
        )
        #expect(compile(lines.replacing("  data: { path: fields }\n", with: "") + fixed).messages == [])
    }

    @Test("a live message's embeds are read from its payload")
    func live() {
        let text =
            "parser: t\nrecord: sample\nengine: embed\nfields: { name: { path: description, match: 'x=(?<value>.+)' } }"
        let compilation = compile(text)
        #expect(compilation.outcome("", embed: "x=1") == "name=1")
        #expect(compilation.outcome("x=1", embed: "y") == "unmatched")
        #expect(compilation.outcome("x=1") == "unmatched")
    }

    @Test("is checked on load")
    func checked() {
        func messages(_ path: String) -> [String] {
            compile("parser: t\nrecord: sample\nengine: embed\nfields: { name: { path: '\(path)' } }").messages
        }
        #expect(messages("titel") == ["r1.yaml:4:26: an embed has no 'titel'; did you mean 'title'?"])
        #expect(messages("fields. ") == ["r1.yaml:4:34: 'fields.' needs the name of a field"])
        #expect(messages("author.url") == [])
    }
}
