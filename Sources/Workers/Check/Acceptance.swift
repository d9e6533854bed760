import Model
package import PipelineFile
import Rules

/// What a check makes of the user's files: the generation the tree runs, and what it needs beside it.
package struct Acceptance: Sendable {
    package var generation: Generation
    /// Values for the environment of the roles that use them; never written anywhere.
    package var secrets: [String: String]
    /// Why this is not what the files say, when it is not.
    package var degraded: String?

    /// Accepts what passes.
    ///
    /// A broken rule file keeps its last accepted version; a broken `pipeline.yaml` leaves the last accepted
    /// generation as a whole. `nil` when there is no such version: nothing may start then.
    ///
    /// - Throws: what the file system throws when the generation cannot be written.
    package static func decide(_ check: PipelineCheck, environment: [String: String]) throws -> Acceptance? {
        let store = GenerationStore(dataFolder: check.dataFolder)
        // Before anything was ever accepted there is nothing to fall back on, and every file must be right.
        if check.hasErrors, try store.latest() == nil { return nil }
        if let candidate = Candidate(check) { return try candidate.accept(in: store) }
        guard let latest = try store.latest() else { return nil }
        let (secrets, diagnostics) = PipelineReader.resolveSecrets(of: latest.pipeline, environment: environment)
        guard !diagnostics.hasErrors else { return nil }
        return Acceptance(
            generation: latest,
            secrets: secrets,
            degraded: "the files have errors; running generation \(latest.number), the last accepted one"
        )
    }
}

/// What may become the next generation: a sound `pipeline.yaml` with those rule files that pass, and the last accepted
/// version of those that do not.
package struct Candidate {
    private let pipeline: Pipeline
    private let rules: [SourceFile]
    private let secrets: [String: String]
    private let degraded: String?

    /// `nil` when no set of rule files fits the pipeline, or when that is broken itself.
    package init?(_ check: PipelineCheck) {
        guard let pipeline = check.pipeline, !check.hasErrorsOutsideRules else { return nil }
        self.pipeline = pipeline
        secrets = check.secrets
        guard let compilation = check.compilation, check.hasErrors else {
            rules = check.ruleFiles
            degraded = nil
            return
        }
        var broken = Set(compilation.files.filter { !$0.isGood }.map(\.name))
        let accepted = Dictionary(check.accepted.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var round = Self.versions(check, broken, accepted)
        // A file that went back may be in the way of one that passed: that one has changed, and so it loses.
        while true {
            let again = RuleCompiler.compile(
                round.filter { accepted[$0.name] == $0 } + round.filter { accepted[$0.name] != $0 },
                records: pipeline.records,
                channels: pipeline.channelNames,
                runningExamples: true,
                passed: check.passed(with: pipeline)
            )
            guard again.diagnostics.hasErrors else { break }
            let more = Set(again.files.filter { !$0.isGood }.map(\.name))
            guard !more.isSubset(of: broken) else { return nil }
            broken.formUnion(more)
            round = Self.versions(check, broken, accepted)
        }
        rules = round
        let kept = broken.filter { name in round.contains { $0.name == name } }.sorted()
        let leftOut = broken.subtracting(kept).sorted()
        var reasons: [String] = []
        if !kept.isEmpty { reasons.append("running the last accepted version of \(kept.joined(separator: ", "))") }
        if !leftOut.isEmpty { reasons.append("leaving out \(leftOut.joined(separator: ", ")), which never passed") }
        degraded = reasons.joined(separator: "; ")
    }

    /// Writes it whole, unless it is what is accepted already.
    ///
    /// - Parameter after: a generation that somebody works by: a new one has a higher number.
    /// - Throws: ``FileProblem``.
    package func accept(in store: GenerationStore, after: Int = 0) throws -> Acceptance {
        let accepted = try store.accept(pipeline: pipeline, rules: rules, after: after)
        return Acceptance(generation: accepted.generation, secrets: secrets, degraded: degraded)
    }

    /// The files as they are, but for the broken ones as they were.
    private static func versions(
        _ check: PipelineCheck,
        _ broken: Set<String>,
        _ accepted: [String: SourceFile]
    ) -> [SourceFile] {
        check.ruleFiles.compactMap { broken.contains($0.name) ? accepted[$0.name] : $0 }
    }
}
