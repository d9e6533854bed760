import Model
import PipelineFile
import Rules

extension WorkerContext {
    /// Whether the last resort may be asked at all: there is a key. Only the role `openai` is given the key itself, so
    /// the supervisor tells the others that there is one. Rule files decide the rest.
    var hasLastResort: Bool { environment[Self.lastResortVariable] == "on" }

    /// The variable by which ``hasLastResort`` is told.
    package static var lastResortVariable: String { "CHAFFINCH_LAST_RESORT" }

    /// A generation's rules, with its files of the last resort.
    ///
    /// - Parameter known: a rule set whose parsers serve again where nothing changed.
    /// - Throws: ``WorkerFailure`` with exit code 78 when they do not compile here.
    static func compileRules(_ generation: Generation, reusing known: RuleSet?) throws -> RuleSet {
        let compilation = RuleCompiler.compile(
            generation.rules,
            records: generation.pipeline.records,
            channels: generation.pipeline.channelNames,
            runningExamples: false,
            reusing: known
        )
        guard let rules = compilation.rules else {
            throw WorkerFailure(
                exitCode: ExitCode.configuration,
                "the rules of generation \(generation.number) do not compile: "
                    + "\(compilation.diagnostics.all.first?.message ?? "unknown")"
            )
        }
        rules.generation = generation.number
        return rules
    }
}

extension Role {
    /// Whether it works by rule files, so that they are loaded with its generation.
    var readsRules: Bool { self == .parse || self == .openai }
}
