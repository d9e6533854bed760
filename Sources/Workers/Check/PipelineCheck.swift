import Foundation
import Model
package import PipelineFile
package import Rules

/// Reads `pipeline.yaml` and the rule files and says everything that is wrong with them. The only code that reads the
/// user's files; the supervisor runs it in a throw-away process.
package struct PipelineCheck {
    /// What the user wrote, for showing the line of a diagnostic.
    package private(set) var sources: [SourceFile] = []
    package private(set) var diagnostics = Diagnostics()
    /// `nil` when `pipeline.yaml` itself is broken.
    package private(set) var pipeline: Pipeline?
    package private(set) var secrets: [String: String] = [:]
    /// The rule files as they are on disk.
    package private(set) var ruleFiles: [SourceFile] = []
    package private(set) var compilation: RuleCompilation?
    /// The rule files of the last accepted generation; known only when they were asked for.
    var accepted: [SourceFile] { latest?.rules ?? [] }
    private var latest: Generation?
    /// Whether anything is wrong but rule files.
    private(set) var hasErrorsOutsideRules = true
    /// Where the generations are kept; known, or guessed, even when `pipeline.yaml` is broken.
    package private(set) var dataFolder: String

    /// - Parameters:
    ///   - path: of `pipeline.yaml`; relative to the working directory.
    ///   - environment: where `${VAR}` is looked up.
    ///   - resolvingSecrets: false for commands that work without a token or a database, such as `parse` and `test`.
    ///   - needed: which secrets are resolved; a command that uses one of them asks for no more.
    ///   - runningExamples: whether the rule files' own examples are run.
    ///   - comparing: with the last accepted generation: what passed for that is not tried again, and in a conflict
    ///     between rule files the one that has changed is at fault.
    package init(
        path: String,
        environment: [String: String],
        resolvingSecrets: Bool,
        needed: Set<SecretKey> = SecretKey.all,
        runningExamples: Bool = true,
        comparing: Bool = false
    ) {
        let url = URL(fileURLWithPath: path).standardizedFileURL
        let folder = url.deletingLastPathComponent().path
        dataFolder = folder + "/data"
        let file = Self.read(url.path, shownAs: path)
        sources = [file]
        let reading = PipelineReader.read(
            file,
            folder: folder,
            environment: environment,
            resolvingSecrets: resolvingSecrets,
            needed: needed
        )
        diagnostics = reading.diagnostics
        secrets = reading.secrets
        dataFolder = reading.pipeline?.dataFolder ?? Self.guessDataFolder(file, folder, environment)
        guard let pipeline = reading.pipeline, !reading.diagnostics.hasErrors else { return }
        self.pipeline = pipeline
        RuleCompiler.checkRecordExpressions(
            reading.recordChecks,
            records: pipeline.records,
            diagnostics: &diagnostics
        )
        if comparing { latest = try? GenerationStore(dataFolder: dataFolder).latest() }
        readRules(of: pipeline, runningExamples: runningExamples)
    }

    /// Read whatever it is, so that a shell's `<(…)` serves too.
    private static func read(_ path: String, shownAs name: String) -> SourceFile {
        if let text = try? String(contentsOfFile: path, encoding: .utf8) { return SourceFile(name: name, text: text) }
        guard access(path, F_OK) == 0 || errno != ENOENT else {
            return SourceFile(
                name: name,
                problem: "there is no such file; run this in the folder of your pipeline.yaml, or name it with --config"
            )
        }
        return SourceFile(path: path, shownAs: name)
    }

    /// The texts of rule files that have passed every check side by side, by this very version and for what
    /// `pipeline` declares.
    func passed(with pipeline: Pipeline) -> [String: String] {
        guard let latest, latest.checkedBy == Chaffinch.version, latest.pipeline.records == pipeline.records,
            latest.pipeline.channelNames == pipeline.channelNames
        else { return [:] }
        return Dictionary(latest.rules.map { ($0.name, $0.text) }, uniquingKeysWith: { first, _ in first })
    }

    package var hasErrors: Bool { diagnostics.hasErrors }

    /// The diagnostics as a person reads them, each with its line and a caret.
    package func rendered(colour: Bool) -> String {
        diagnostics.all.map { $0.rendered(sources: sources, colour: colour) + "\n" }.joined()
    }

    private mutating func readRules(of pipeline: Pipeline, runningExamples: Bool) {
        hasErrorsOutsideRules = diagnostics.hasErrors
        guard let folder = pipeline.parsersFolder else { return }
        let shown = pipeline.parsersShownAs ?? folder
        do {
            ruleFiles = try RuleFolder.read(folder, shownAs: shown)
        } catch {
            hasErrorsOutsideRules = true
            diagnostics.error(
                "the parsers folder '\(shown)' cannot be read: \(error)",
                file: sources[0].name,
                mark: nil
            )
            return
        }
        if ruleFiles.isEmpty, pipeline.plugins.isEmpty {
            diagnostics.warning(
                "'\(shown)' holds no rule file (*.yaml, also in sub-folders), so no message can become a record",
                file: sources[0].name,
                mark: nil
            )
        }
        sources += ruleFiles
        let known = Dictionary(accepted.map { ($0.name, $0.text) }, uniquingKeysWith: { first, _ in first })
        let compilation = RuleCompiler.compile(
            ruleFiles.filter { known[$0.name] == $0.text } + ruleFiles.filter { known[$0.name] != $0.text },
            records: pipeline.records,
            channels: pipeline.channelNames,
            runningExamples: runningExamples,
            passed: passed(with: pipeline)
        )
        self.compilation = compilation
        // Without rules the record types are at fault, and those were reported with their places.
        if compilation.rules != nil { diagnostics.append(compilation.diagnostics) }
    }

    /// The data folder of a broken file, so that the last accepted generation is found.
    private static func guessDataFolder(_ file: SourceFile, _ folder: String, _ environment: [String: String]) -> String
    {
        var ignored = Diagnostics()
        let named = YAMLParser.parse(file, into: &ignored)?.value("data")?.scalar
        let path = named.flatMap { try? Template($0).expanded(with: environment) }
        return FilePath.absolute(path ?? "data", in: folder)
    }
}

extension Pipeline {
    package var channelNames: [ChannelName] { channels.map { ChannelName(id: $0.id, name: $0.name) } }
}
