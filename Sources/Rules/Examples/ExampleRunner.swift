internal import Model
package import PipelineFile

/// How an example of a rule file went.
package struct ExampleResult: Sendable, Equatable {
    /// The file's name as diagnostics show it.
    package var file: String
    package var parser: String
    /// From 1, in the order of the file.
    package var number: Int
    package var mark: SourceMark
    package var passed: Bool
    /// What the example says, and what the rule made of it: a line for every field.
    package var expected: [String]
    package var got: [String]

    /// `ok   parsers/gold.yaml:41 gold-desk #1`, or `FAIL …`.
    package var line: String { "\(passed ? "ok  " : "FAIL") \(file):\(mark.line) \(parser) #\(number)" }

    /// See ``LineDiff``.
    package var diff: [String] { LineDiff.lines(expected, got) }

    /// The failure as a diagnostic says it.
    var problem: String {
        "example \(number) fails:" + diff.map { "\n    \($0)" }.joined()
    }
}

/// Runs an example on the rule whose file it stands in.
enum ExampleRunner {
    static func run(_ example: RuleExample, on parser: RuleParser) -> ExampleResult {
        let text = Normalizer(parser.head.normalization).normalize(example.text)
        let isShutOut = parser.head.gate.map { !$0.admits(text.searchable) } ?? false
        let verdict =
            isShutOut ? Verdict.notTaken(.material) : parser.parse(text.bytes, embeds: { example.embeds?.root })
        let type = parser.head.record
        let (expected, got): ([String], [String])
        if case .records(let records) = example.expectation, case .records(let drafts) = verdict {
            let outline = RecordOutline(type: type)
            expected = records.enumerated().flatMap { outline.lines($1, number: $0 + 1) }
            got = drafts.enumerated().flatMap { outline.lines($1, number: $0 + 1, beside: records) }
        } else {
            expected = Self.lines(example.expectation, type)
            got = isShutOut ? ["none: its gate shuts it out"] : Self.lines(verdict, type)
        }
        let isNone = if case .none = example.expectation { true } else { false }
        // What a rule that gave up would have made of the text is not known, so it is not "none" either.
        let madeNone =
            switch verdict {
            case .records, .abandoned: false
            case .notTaken, .failed: true
            }
        return ExampleResult(
            file: parser.file,
            parser: parser.head.id,
            number: example.number,
            mark: example.node.mark,
            passed: isNone ? madeNone : expected == got,
            expected: expected,
            got: got
        )
    }

    private static func lines(_ expectation: RuleExample.Expectation, _ type: RecordType) -> [String] {
        switch expectation {
        case .none: ["none"]
        case .records(let records):
            records.enumerated().flatMap { RecordOutline(type: type).lines($1, number: $0 + 1) }
        }
    }

    private static func lines(_ verdict: Verdict, _ type: RecordType) -> [String] {
        switch verdict {
        case .notTaken(let missing): ["none: \(missing.told(in: type))"]
        case .failed(let failure): ["none: \(failure)"]
        case .abandoned(let step): ["given up: a pattern of '\(step)' ran into the step limit"]
        case .records(let drafts):
            drafts.enumerated().flatMap { RecordOutline(type: type).lines($1, number: $0 + 1, beside: []) }
        }
    }
}
