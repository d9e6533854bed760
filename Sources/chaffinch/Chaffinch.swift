import ArgumentParser
import Foundation
import Model
import PipelineFile
import Processes
import Supervision
import Workers

@main
struct Main {
    static func main() {
        // Signals are taken over before any thread starts: as PID 1 the default dispositions would ignore SIGTERM.
        let arguments = ProgramArguments.all
        if arguments.first == "supervisor" { Signals.prepare() }
        do {
            var command = try ChaffinchCommand.parseAsRoot(arguments)
            try command.run()
        } catch let failure as CommandFailure {
            if !failure.description.isEmpty { Terminal.error("chaffinch: \(failure)") }
            // At once: static destructors must not run under threads that are still at work.
            _exit(failure.exitCode)
        } catch {
            // Usage errors exit 64 (EX_USAGE), as ArgumentParser has it; --help and --version exit 0.
            guard ChaffinchCommand.exitCode(for: error) == .failure else { ChaffinchCommand.exit(withError: error) }
            Terminal.error("chaffinch: \(error)")
            _exit(CommandFailure.exitCode(of: error))
        }
    }
}

struct ChaffinchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaffinch",
        abstract: "Turns what people write in Discord channels into typed rows in a database.",
        discussion: """
            Edit pipeline.yaml to add a channel or a record type, drop rule files into parsers/, and run the supervisor:

              chaffinch check                 see what is wrong, with file, line and column
              chaffinch test                  run the examples inside the rule files
              chaffinch supervisor            run everything; the entrypoint of a container
              chaffinch status                see how it goes

            Exit codes: 0 done, 1 a check or test failed, 64 usage, 69 a needed service is unavailable, 70 internal,
            75 the stop had to be forced, 78 configuration.
            """,
        version: Chaffinch.version,
        subcommands: [
            SupervisorCommand.self, CheckCommand.self, TestCommand.self, ExplainCommand.self, ParseCommand.self,
            RulesCommand.self, ScoreCommand.self, SetupCommand.self, DeadCommand.self, ReparseCommand.self,
            ImportCommand.self, SpendCommand.self, StatusCommand.self, TopCommand.self, ReloadCommand.self,
            RestartCommand.self, ResetCommand.self, SchemaCommand.self, WorkerCommand.self,
        ]
    )
}

/// A sentence for standard error and an exit code.
struct CommandFailure: Error, CustomStringConvertible {
    var exitCode: Int32
    var description: String

    init(_ exitCode: Int32, _ description: String = "") {
        self.exitCode = exitCode
        self.description = description
    }

    /// What an error that no command foresaw means to whoever called: a file or folder that cannot be used and a tree
    /// that cannot be are the configuration's.
    static func exitCode(of error: any Error) -> Int32 {
        switch error {
        case let error as SupervisionError:
            error.code == .locked || error.code == .unavailable ? ExitCode.unavailable : ExitCode.configuration
        case is FileProblem, is TemplateError: ExitCode.configuration
        case is ImportProblem: ExitCode.usage
        default: WorkerProcess.exitCode(of: error)
        }
    }
}
