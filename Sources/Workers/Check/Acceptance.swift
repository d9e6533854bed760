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
        if let pipeline = check.pipeline, !check.hasErrors {
            let accepted = try store.accept(pipeline: pipeline, rules: check.ruleFiles)
            try store.prune()
            return Acceptance(generation: accepted.generation, secrets: check.secrets)
        }
        guard let latest = try store.latest() else { return nil }
        if let merged = try mergeRules(check, into: latest, store: store) { return merged }
        let (secrets, diagnostics) = PipelineReader.resolveSecrets(of: latest.pipeline, environment: environment)
        guard !diagnostics.hasErrors else { return nil }
        return Acceptance(
            generation: latest,
            secrets: secrets,
            degraded: "the files have errors; running generation \(latest.number), the last accepted one"
        )
    }

    /// When only rule files are broken: the new pipeline with the last accepted version of those files.
    private static func mergeRules(
        _ check: PipelineCheck,
        into latest: Generation,
        store: GenerationStore
    ) throws -> Acceptance? {
        guard let pipeline = check.pipeline, let compilation = check.compilation else { return nil }
        let broken = Set(compilation.files.filter { !$0.isGood }.map(\.name))
        guard !broken.isEmpty else { return nil }
        let rules = check.ruleFiles.compactMap { file in
            broken.contains(file.name) ? latest.rules.first { $0.name == file.name } : file
        }
        let second = RuleCompiler.compile(
            rules,
            records: pipeline.records,
            channels: pipeline.channelNames,
            runningExamples: true
        )
        guard !second.diagnostics.hasErrors else { return nil }
        let accepted = try store.accept(pipeline: pipeline, rules: rules)
        let kept = broken.filter { name in rules.contains { $0.name == name } }.sorted()
        let leftOut = broken.subtracting(kept).sorted()
        var degraded: [String] = []
        if !kept.isEmpty { degraded.append("running the last accepted version of \(kept.joined(separator: ", "))") }
        if !leftOut.isEmpty { degraded.append("leaving out \(leftOut.joined(separator: ", ")), which never passed") }
        return Acceptance(
            generation: accepted.generation,
            secrets: check.secrets,
            degraded: degraded.joined(separator: "; ")
        )
    }
}
