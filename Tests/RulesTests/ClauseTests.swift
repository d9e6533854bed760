import Model
import PipelineFile
import Testing

@testable import Rules

@Suite("Clauses beside their engines")
struct ClauseTests {
    @Test("a pattern that runs into the step limit on the file's own example is refused, whatever the example expects")
    func ownExample() {
        // The probes on load know no such letters; the author's example has them.
        for expect in ["none", "[{ name: x }]"] {
            let text = String(repeating: "жж", count: 600) + "!"
            let file = """
                parser: t
                record: sample
                gate: [ж]
                fields: { name: { match: '(?<value>(?:\\p{Cyrillic}\\p{Cyrillic}?)+$)' } }
                examples: [{ text: "\(text)", expect: \(expect) }]
                """
            let compilation = compile(file)
            #expect(compilation.files.map(\.isGood) == [false])
            #expect(
                compilation.messages.contains { $0.contains("a pattern of 'name' ran into the step limit") },
                "\(compilation.messages)"
            )
        }
    }

    @Test(
        "split and cover work for templates and pairs as for patterns",
        arguments: [
            ("engine: template\ntemplate: 'is {name}'\nsplit: ';\\n'\ncover: 'tp'", "is a;\nis b", "name=a | name=b"),
            (
                "engine: template\ntemplate: 'is {name}'\nsplit: ';\\n'\ncover: 'tp'", "is a;\ntp 5",
                "invalid: t: cover: nothing read 'tp'"
            ),
            ("engine: template\ntemplate: 'is {name}'\ncover: 'tp'", "is tp", "name=tp"),
            (
                "engine: pairs\nfields: { name: { key: id } }\nsplit: ';\\n'\ncover: 'tp'", "id: a;\nid: b",
                "name=a | name=b"
            ),
            (
                "engine: pairs\nfields: { name: { key: id } }\nsplit: ';\\n'\ncover: 'tp'", "id: a;\ntp 5",
                "invalid: t: cover: nothing read 'tp'"
            ),
        ]
    )
    func splitAndCover(lines: String, text: String, expected: String) {
        let compilation = compile("parser: t\nrecord: sample\n\(lines)")
        #expect(compilation.messages == [])
        #expect(compilation.outcome(text) == expected)
    }

    @Test(
        "decimal: comma holds for every engine, and an entry may say otherwise",
        arguments: [
            ("engine: pairs\nfields: { name: { key: id }, amount: { key: sum } }", "id: a\nsum: 1.234,5"),
            ("engine: template\ntemplate: '{name} {amount}'", "a 1.234,5"),
            ("engine: json\nfields: { name: { path: id }, amount: { path: sum } }", #"{"id":"a","sum":"1.234,5"}"#),
            ("fields: { name: { match: '^(?<value>a)' }, amount: { match: '(?<value>\\d\\S+)' } }", "a 1.234,5"),
        ]
    )
    func comma(lines: String, text: String) {
        #expect(compile("parser: t\nrecord: sample\ndecimal: comma\n\(lines)").outcome(text) == "name=a amount=1234.5")
        let outcome = compile("parser: t\nrecord: sample\n\(lines)").outcome(text)
        #expect(outcome.hasPrefix("invalid: t: amount: "), "\(outcome)")
    }

    @Test(
        "the gate is the file's, else derived from what its required fields must contain, else none",
        arguments: [
            ("gate: [Alert]\nfields: { name: { match: 'name=(?<value>\\w+)' } }", ParserSummary.Gate.given(["Alert"])),
            ("fields: { name: { match: 'name=(?<value>\\w+)' } }", .derived(["name="])),
            (
                "fields: { name: [{ match: 'name=(?<value>x)' }, { match: 'id=(?<value>x)' }] }",
                .derived(["id=x", "name=x"])
            ),
            ("fields: { name: [{ match: 'name=(?<value>x)' }, { match: '(?<value>\\d)' }] }", .none),
            ("fields: { name: { value: x } }", .none),
            ("engine: template\ntemplate: 'order of {name}'", .derived(["order"])),
            ("engine: json\nfields: { name: { path: id } }", .none),
        ]
    )
    func gate(lines: String, expected: ParserSummary.Gate) throws {
        let parser = try #require(compile("parser: t\nrecord: sample\n\(lines)").rules?.parsers.first)
        switch (parser.gate, expected) {
        case (.derived(let got), .derived(let wanted)) where lines.contains("template"):
            #expect(got.allSatisfy { literal in wanted.contains { literal.contains($0) } }, "\(got)")
        default: #expect(parser.gate == expected)
        }
        #expect(parser.triesEverything == (expected == ParserSummary.Gate.none))
    }

    @Test("text that a map does not name passes unchanged, in lists too")
    func map() {
        let file = """
            parser: t
            record: sample
            fields: { name: { match: 'name=(?<value>\\w+)', map: { GOLD: XAUUSD } } }
            lists: { parts: { match: 'p (?<label>\\w+) (?<size>\\d)', map: { label: { tp: target } } } }
            """
        #expect(
            compile(file).outcome("name=gold p TP 1 p Sl 2")
                == "name=XAUUSD parts=[label=target size=1][label=Sl size=2]"
        )
        #expect(compile(file).outcome("name=Silver") == "name=Silver")
    }

    @Test("a rule that is off is listed, and its broken neighbours do not hide it")
    func off() {
        let compilation = compile(rule("a", "status: off"), rule("b", "status: of"))
        #expect(compilation.rules?.parsers.map(\.status) == [.off])
        #expect(compilation.messages == ["r2.yaml:4:9: 'status' cannot be 'of'; did you mean 'off'?"])
    }
}
