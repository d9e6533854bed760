import Model
import PipelineFile
import Testing

@testable import Rules

@Suite("Rules in shadow, and what rules count")
struct ShadowTests {
    private func file(_ id: String, _ lines: String = "", amount: String = #"amount=(?<value>\S+)"#) -> String {
        """
        parser: \(id)
        record: sample
        normalize: []
        \(lines)
        fields:
          name: { match: 'name=(?<value>\\w+)' }
          amount: { match: '\(amount)' }
        """
    }

    private func counts(_ files: [String], _ texts: [String], channel: UInt64 = 13) -> [String: ParserCounts] {
        let compilation = RuleCompiler.compile(
            files.enumerated().map { .init(name: "r\($0 + 1).yaml", text: $1) },
            records: [everyKind, tradingSignal],
            channels: testChannels,
            runningExamples: false
        )
        for text in texts { _ = compilation.rules?.parse(message(text, channel: channel)) }
        return compilation.rules?.counts ?? [:]
    }

    @Test("are compared with what the live rules make of the same message")
    func comparison() throws {
        let counts = counts(
            [
                file("live"),
                file("shadow", "status: shadow\ngate: [name]", amount: #"(?:amount|sum)=(?<value>\d+)"#),
            ],
            [
                "name=a amount=1", "name=a amount=1", "name=b sum=2", "name=c amount=2.5 sum=3", "hello",
                "NAME=d amount=7", "name=e amount=x sum=4",
            ]
        )
        let shadow = try #require(counts["shadow"]?.shadow)
        // `amount=2.5` is cut at the point by the shadow, which fails there; `sum` the live rule does not know; and
        // `amount=x` makes the message invalid to the live rule.
        #expect([shadow.same, shadow.different, shadow.onlyShadow, shadow.onlyLive] == [3, 1, 1, 1])
        #expect(
            shadow.differences.map { LineDiff.lines($0.live, $0.shadow) } == [
                ["  record 1", "    name: b", "+   amount: 2"],
                ["- record 1", "-   name: c", "-   amount: 2.5"],
                ["+ record 1", "+   name: e", "+   amount: 4"],
            ]
        )
        #expect(shadow.differences.map(\.liveParser) == ["live", "live", nil])
        #expect(counts["live"]?.shadow == nil)
    }

    @Test("a message that no gate admits it to counts as read by the live rules only")
    func gate() {
        let counts = counts([file("live"), file("shadow", "status: shadow\ngate: [vip]")], ["name=a", "vip name=a"])
        #expect(counts["shadow"]?.tried == 1)
        #expect(counts["shadow"]?.shadow?.same == 1)
        #expect(counts["shadow"]?.shadow?.onlyLive == 1)
    }

    @Test("channels and record types that are not its own do not count")
    func others() {
        let other = """
            parser: other
            record: trading_signal
            status: shadow
            fields: { ticker: { match: 'ticker=(?<value>\\w+)' }, side: { value: long }, entry_price: { value: 1 } }
            """
        let counts = counts(
            [file("live"), file("away", "status: shadow\nchannels: chat"), other],
            ["name=a"],
            channel: 11
        )
        #expect(counts["away"]?.shadow == ShadowCounts())
        #expect(counts["other"]?.shadow == ShadowCounts())
    }

    @Test("only the newest differences are kept, and those of two replicas are put together")
    func kept() {
        let texts = (0..<25).map { "name=n\($0)" }
        let counts = counts([file("shadow", "status: shadow")], texts)
        let shadow = counts["shadow"]?.shadow
        #expect(shadow?.onlyShadow == 25)
        #expect(shadow?.differences.count == ShadowCounts.kept)
        #expect(shadow?.differences.last?.shadow == ["record 1", "  name: n24"])
        var sum = ParserCounts()
        for _ in 0..<2 { sum.add(counts["shadow"] ?? ParserCounts()) }
        #expect(
            [sum.tried, sum.parsed, sum.shadow?.onlyShadow ?? 0, sum.shadow?.differences.count ?? 0] == [
                50, 50, 50, 10,
            ]
        )
    }

    @Test("misses and failures are counted by step")
    func steps() throws {
        let signal = """
            parser: s
            record: trading_signal
            gate: [x]
            fields:
              ticker: { match: 'ticker=(?<value>\\w+)' }
              side: { match: 'side=(?<value>\\w+)' }
              entry_price: { match: 'at=(?<value>\\S+)' }
            cover: 'tp'
            """
        let counts = try #require(
            counts(
                [signal],
                [
                    "x", "x ticker=A", "x ticker=A", "x ticker=A side=up", "x ticker=A side=long at=1,2",
                    "x ticker=A side=long at=0", "x ticker=A side=long at=1 tp", "x ticker=A side=long at=1", "nothing",
                ]
            )["s"]
        )
        #expect((counts.tried, counts.parsed) == (8, 1))
        #expect(counts.missing == ["ticker": 1, "side": 2])
        #expect(counts.failures == ["side": 1, "entry_price": 1, "check failed": 1, "cover": 1])
        #expect((counts.failed, counts.limitHits) == (4, 0))
        let json = "parser: j\nrecord: sample\nengine: json\nfields: { name: { path: id } }"
        #expect(self.counts([json], ["hello"])["j"]?.missing == ["nothing to read": 1])
        let template = "parser: t\nrecord: sample\nengine: template\ntemplate: 'is {name}'"
        #expect(self.counts([template], ["hello"])["t"]?.missing == ["template": 1])
    }

    @Test("one message in many is timed")
    func time() throws {
        let counts = try #require(counts([file("live")], Array(repeating: "name=a", count: 640))["live"])
        #expect(counts.timed == 10)
        #expect(counts.nanoseconds > 0)
    }

    @Test("a rule in shadow that takes too long holds no live rule up")
    func slow() {
        let slow = "(?<value>(?:.*a){25})"
        let files = (0..<40).map { file("shadow\($0)", "status: shadow", amount: slow) } + [file("live")]
        let text = "name=x amount=1 " + String(repeating: "a", count: 20) + String(repeating: "b", count: 7000)
        let compilation = compile(files[0], files[40], examples: false)
        #expect(compilation.outcome(text) == "name=x amount=1")
        let counts = counts(files, [text])
        #expect(counts["live"]?.parsed == 1)
    }
}

@Suite("MatchBudget")
struct MatchBudgetTests {
    @Test("is spent by processor time, and begun anew with each message")
    func spent() {
        let budget = MatchBudget()
        budget.begin(0)
        var asked = 0
        while budget.permits(1000), asked < 1000 { asked += 1 }
        // The clock is looked at once to begin with, and again when some more kilobytes were searched.
        #expect((5...20).contains(asked))
        #expect(budget.isSpent)
        budget.begin(MatchBudget.live)
        #expect(budget.permits(1_000_000) && !budget.isSpent)
    }

    /// Patterns each of which keeps its own limit: together they would hold the worker for seconds.
    @Test("bounds a message over all rules, and says that it was cut short")
    func bounded() throws {
        let files = (0..<60).map { number in
            """
            parser: slow\(number)
            record: sample
            priority: \(number)
            fields: { name: { match: '(?<value>(?:.*a){25})\(number)z' } }
            """
        }
        let compilation = RuleCompiler.compile(
            files.enumerated().map { .init(name: "r\($0).yaml", text: $1) },
            records: [everyKind],
            channels: [],
            runningExamples: false
        )
        let rules = try #require(compilation.rules)
        let text =
            (0..<60).map { "\($0)z" }.joined() + String(repeating: "a", count: 24) + String(repeating: "b", count: 7000)
        let start = ProcessorTime.now()
        #expect(rules.parse(message(text)).outcome == .unmatched)
        #expect(ProcessorTime.now() - start < 2_000_000_000)
        #expect(rules.limitHits.isEmpty == false || rules.cutShort == 1)
        // The next message has a budget of its own.
        #expect(rules.parse(message("hello")).outcome == .unmatched)
    }
}
