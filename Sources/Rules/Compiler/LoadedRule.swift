internal import Model
internal import PipelineFile

/// A rule file on its way through the checks.
struct LoadedRule {
    let file: String
    private let result: RuleFileReader.Result
    var diagnostics: Diagnostics

    init(file: String, result: RuleFileReader.Result, diagnostics: Diagnostics) {
        self.file = file
        self.result = result
        self.diagnostics = diagnostics
    }

    var isGood: Bool { !diagnostics.hasErrors }

    var goodParser: RuleParser? {
        if case .parser(let parser) = result, isGood { parser } else { nil }
    }

    var head: RuleHead? {
        switch result {
        case .parser(let parser): parser.head
        case .lastResort(_, let head): head
        case .broken: nil
        }
    }

    var id: String? {
        if case .broken(let id) = result { id } else { head?.id }
    }

    var lastResort: LastResortRule? {
        if case .lastResort(let rule, _) = result, isGood { rule } else { nil }
    }

    /// Runs the file's examples and reports those that fail.
    mutating func runExamples() -> [ExampleResult] {
        guard case .parser(let parser) = result else { return [] }
        let results = parser.head.examples.map { ExampleRunner.run($0, on: parser) }
        for result in results where !result.passed {
            diagnostics.error(result.problem, file: file, mark: result.mark)
        }
        return results
    }

    /// Tries every pattern on long lines and reports those that run into the step limit there.
    mutating func probe() {
        guard let parser = goodParser else { return }
        for (step, pattern) in parser.patterns {
            guard let line = LongLineProbe.limitHit(of: pattern) else { continue }
            diagnostics.error(
                "a pattern of '\(step)' runs into the step limit on a long line of \(line): "
                    + "let its repeats not overlap",
                file: file,
                mark: pattern.mark ?? parser.head.idNode.mark
            )
        }
    }
}
