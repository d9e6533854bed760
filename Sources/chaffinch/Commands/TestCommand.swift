import ArgumentParser
import Foundation
import Model
import PipelineFile
import Rules
import Workers

struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Runs the examples inside the rule files.",
        discussion: """
            Examples:
              chaffinch test                              all files of the parsers folder
              chaffinch test parsers/signals/trading-signals.yaml

            Prints one line an example and what differs for a failure. Exits 1 when one fails, or when a file has
            mistakes that would keep it from going live. Needs no token, broker or database.
            """
    )

    @OptionGroup var options: ConfigOption

    @Argument(help: "Rule files to test; all when none is named.")
    var files: [String] = []

    func run() throws {
        let check = PipelineCheck(
            path: options.config,
            environment: ProcessInfo.processInfo.environment,
            resolvingSecrets: false,
            runningExamples: false
        )
        guard let pipeline = check.pipeline else {
            Terminal.error(check.rendered(colour: Terminal.errorHasColour))
            throw CommandFailure(ExitCode.configuration)
        }
        let chosen = try chooseFiles(check)
        let compilation = RuleCompiler.compile(
            chosen,
            records: pipeline.records,
            channels: pipeline.channelNames,
            runningExamples: true
        )
        let found = mistakes(check, chosen, compilation)
        for mistake in found {
            Terminal.error(mistake.rendered(sources: check.sources + chosen, colour: Terminal.errorHasColour))
        }
        for result in compilation.examples { show(result) }
        for parser in compilation.rules?.parsers ?? [] where parser.triesEverything {
            Terminal.output(
                Terminal.styled("note", .yellow)
                    + " \(parser.file) \(parser.id) has no gate: it is tried on every message of its channels; give it 'gate'"
            )
        }
        for parser in compilation.rules?.parsers ?? [] where parser.engine == .openai {
            Terminal.output(
                Terminal.styled("note", .yellow)
                    + " \(parser.file) \(parser.id) is a last resort: its gate was checked on its examples; no model is asked"
            )
        }
        let failed = compilation.examples.count { !$0.passed }
        let parsers = Set(compilation.examples.map(\.parser)).count
        let broken = Set(found.map(\.file)).count
        let mistakes = "\(broken) \(broken == 1 ? "file has" : "files have") mistakes"
        if compilation.examples.isEmpty {
            Terminal.output("no example ran" + (broken > 0 ? ": \(mistakes)" : ""))
        } else {
            Terminal.output(
                "\(compilation.examples.count - failed) passed, \(failed) failed, in \(parsers) "
                    + (parsers == 1 ? "parser" : "parsers") + (broken > 0 ? "; \(mistakes)" : "")
            )
        }
        if failed > 0 || !found.isEmpty { throw CommandFailure(ExitCode.failed) }
    }

    /// Everything that keeps the chosen files from going live, but for failed examples, which are shown as such.
    private func mistakes(
        _ check: PipelineCheck,
        _ chosen: [SourceFile],
        _ compilation: RuleCompilation
    ) -> [Diagnostic] {
        let left = Set(check.ruleFiles.map(\.name)).subtracting(chosen.map(\.name))
        var found = check.diagnostics
        if compilation.rules != nil { found.append(compilation.diagnostics) }
        return found.errors.filter { mistake in
            !left.contains(mistake.file)
                && !compilation.examples.contains {
                    !$0.passed && $0.file == mistake.file && $0.mark == mistake.mark
                }
        }
    }

    private func show(_ result: ExampleResult) {
        let style: Terminal.Style = result.passed ? .green : .red
        Terminal.output(Terminal.styled(String(result.line.prefix(4)), style) + result.line.dropFirst(4))
        guard !result.passed else { return }
        Terminal.show(difference: result.expected, result.got, indent: "       ")
    }

    private func chooseFiles(_ check: PipelineCheck) throws -> [SourceFile] {
        guard !files.isEmpty else { return check.ruleFiles }
        return try files.map { path in
            let wanted = URL(fileURLWithPath: path).standardizedFileURL.path
            if let known = check.ruleFiles.first(where: {
                URL(fileURLWithPath: $0.name).standardizedFileURL.path == wanted
            }) {
                return known
            }
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw CommandFailure(ExitCode.usage, "cannot read rule file '\(path)'")
            }
            return SourceFile(name: path, text: text)
        }
    }
}
