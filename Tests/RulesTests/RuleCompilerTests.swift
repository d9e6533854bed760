import Model
import PipelineFile
import Testing

@testable import Rules

@Suite("RuleCompiler")
struct RuleCompilerTests {
    @Test("a broken file does not touch the others")
    func acceptance() {
        let compilation = compile(rule("good"), "parser: bad\nrecord: nope", rule("better", "priority: 5"))
        #expect(
            compilation.files == [
                RuleFileResult(name: "r1.yaml", parserID: "good", isGood: true),
                RuleFileResult(name: "r2.yaml", parserID: "bad", isGood: false),
                RuleFileResult(name: "r3.yaml", parserID: "better", isGood: true),
            ]
        )
        #expect(compilation.rules?.parsers.map(\.id) == ["good", "better"])
        #expect(compilation.diagnostics.errors.allSatisfy { $0.file == "r2.yaml" })
    }

    @Test("of two files with one id the later is at fault")
    func duplicates() {
        let compilation = compile(rule("one"), rule("one", "priority: 5"))
        #expect(compilation.messages == ["r2.yaml:1:9: parser 'one' is already in r1.yaml"])
        #expect(compilation.files.map(\.isGood) == [true, false])
    }

    @Test("two live rules of equal priority that both take one example are a conflict")
    func conflict() {
        let example = "examples:\n  - { text: 'name=x', expect: [{ name: x }] }"
        let message =
            "r2.yaml:1:9: priority 100 is also that of parser 'one' in r1.yaml, and both take the example at r1.yaml:5:5"
        #expect(compile(rule("one", example), rule("two")).messages == [message])
        let other = compile(rule("one"), rule("two", example))
        #expect(other.messages == [message.replacing("r1.yaml:5:5", with: "r2.yaml:5:5")])
        #expect(other.files.map(\.isGood) == [true, false])
        // What keeps them apart: priority, status, channels, input, a gate.
        for lines in ["priority: 99", "status: shadow", "channels: chat", "input: embeds", "gate: [other]"] {
            let first = rule(
                "one",
                example + (lines.hasPrefix("channels") ? "\nchannels: gold-room" : "\ninput: content")
            )
            #expect(compile(first, rule("two", lines)).messages == [], "\(lines)")
        }
    }

    @Test("the last resort's file is among the parsers, and no text is tried on it")
    func openai() {
        let compilation = compile(
            "parser: last\nrecord: sample\nengine: openai\ninstructions: Read it.\ngate: [x]\ncheck: [amount > 0]"
        )
        #expect(compilation.messages == [])
        #expect(compilation.rules?.lastResort.isOff == false)
        #expect(compilation.files.map(\.isGood) == [true])
        #expect(compilation.rules?.parsers.map(\.engine) == [.openai])
        #expect(compilation.outcome("x name=1") == "unmatched")
    }

    @Test("a glob that matches no channel is a warning, and nothing is said when no channels are known")
    func channels() {
        let text = rule("one", "channels: [nope, 'silver-*']")
        #expect(
            compile(text).messages == [
                "r1.yaml:4:12: no channel 'nope' in the pipeline",
                "r1.yaml:4:18: warning: no channel of the pipeline matches 'silver-*'",
            ]
        )
        let alone = RuleCompiler.compile(
            [SourceFile(name: "r1.yaml", text: text)],
            records: [everyKind],
            channels: [],
            runningExamples: true
        )
        #expect(alone.messages == [])
    }

    @Test("record types whose own checks are wrong leave no rules")
    func recordChecks() {
        var record = everyKind
        record.checks = ["amuont > 0"]
        let compilation = compile(rule(), records: [record])
        #expect(
            compilation.messages == [
                "pipeline.yaml: record 'sample', check 'amuont > 0': record 'sample' has no field or list 'amuont'; "
                    + "did you mean 'amount'?"
            ]
        )
        #expect(compilation.rules == nil)
    }

    @Test("and are placed where they stand in the pipeline file")
    func recordCheckPlaces() throws {
        var diagnostics = Diagnostics()
        let file = SourceFile(name: "pipeline.yaml", text: "check:\n  - amount > 0\n  - \"name = 'x' or amuont > 0\"")
        let nodes = try #require(YAMLParser.parse(file, into: &diagnostics)?.value("check")?.sequence)
        RuleCompiler.checkRecordExpressions(["sample": nodes], records: [everyKind], diagnostics: &diagnostics)
        #expect(
            diagnostics.all.map(\.description) == [
                "pipeline.yaml:3:20: record 'sample' has no field or list 'amuont'; did you mean 'amount'?"
            ]
        )
    }

    @Test("without examples nothing is run, and a file that fails its own is taken")
    func withoutExamples() {
        let text = rule("one", "examples:\n  - { text: 'name=x', expect: none }")
        #expect(compile(text, examples: false).files.map(\.isGood) == [true])
        #expect(compile(text, examples: false).examples.isEmpty)
        #expect(compile(text).files.map(\.isGood) == [false])
    }
}

@Suite("Examples")
struct ExampleTests {
    private func results(_ lines: String, fields: String = "amount: { match: 'a=(?<value>\\d+)' }\ncount: { value: 3 }")
        -> [ExampleResult]
    {
        compile(rule("one", lines, fields: fields)).examples
    }

    @Test("each has its line, and a failure its difference")
    func lines() {
        let examples = results(
            """
            examples:
              - { text: 'name=x a=1', expect: [{ name: x, amount: 1 }] }
              - { text: 'name=x a=1', expect: [{ name: x, amount: 2 }] }
            """
        )
        #expect(examples.map(\.line) == ["ok   r1.yaml:5 one #1", "FAIL r1.yaml:6 one #2"])
        #expect(examples[1].diff == ["  record 1", "    name: x", "-   amount: 2", "+   amount: 1"])
    }

    @Test(
        "named values must be equal, and what was read must be named",
        arguments: [
            ("[{ name: x, amount: 1 }]", true), ("[{ name: x, amount: 1, count: 3 }]", true),
            ("[{ amount: 1 }]", false),
            ("[{ name: x }]", false), ("[{ name: x, amount: 1, count: 4 }]", false),
            ("[{ name: x, amount: null }]", false),
            ("[{ name: x, amount: 1, colour: null }]", true), ("[{ name: x, amount: 1, colour: red }]", false),
            ("[{ name: x, amount: 1.0 }]", true), ("[{ name: x, amount: 1 }, { name: y }]", false), ("none", false),
        ]
    )
    func comparison(expect: String, passes: Bool) {
        let examples = results("examples:\n  - { text: 'name=x a=1', expect: \(expect) }")
        #expect(examples.map(\.passed) == [passes])
    }

    @Test(
        "lists are compared element by element",
        arguments: [
            ("[{ name: x, parts: [{ size: 1 }, { size: 2 }] }]", true),
            ("[{ name: x, parts: [{ size: 2 }, { size: 1 }] }]", false),
            ("[{ name: x, parts: [{ size: 1 }] }]", false), ("[{ name: x }]", false),
            ("[{ name: x, parts: [{ size: 1, sort: big }, { size: 2 }] }]", true),
            ("[{ name: x, parts: [{ size: 1, sort: small }, { size: 2 }] }]", false),
        ]
    )
    func lists(expect: String, passes: Bool) {
        let examples = results(
            "lists: { parts: { match: 'p=(?<size>\\d)', set: { sort: big } } }\n"
                + "examples:\n  - { text: 'name=x p=1 p=2', expect: \(expect) }",
            fields: ""
        )
        #expect(examples.map(\.passed) == [passes])
    }

    @Test("an invalid message is none")
    func invalid() {
        #expect(
            results("check: [amount > 5]\nexamples:\n  - { text: 'name=x a=1', expect: none }").map(\.passed) == [true]
        )
    }
}
