import ArgumentParser
import Foundation
import Model
import PipelineFile
import Supervision
import Workers

/// Internal: what the supervisor runs.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Runs one role of the tree; the supervisor does this.",
        shouldDisplay: false,
        subcommands: [CheckRole.self, TreeRole.self],
        defaultSubcommand: TreeRole.self
    )

    /// `worker check`: the throw-away process that alone reads the user's files.
    struct CheckRole: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "check")

        @OptionGroup var options: ConfigOption

        func run() throws {
            let environment = ProcessInfo.processInfo.environment
            let check = PipelineCheck(path: options.config, environment: environment, resolvingSecrets: true)
            Terminal.error(check.rendered(colour: Terminal.errorHasColour))
            // Generations are written under the lock: a supervisor that is to be refused must not move another's on.
            let lock = try DataFolderLock.acquire(check.dataFolder)
            defer { withExtendedLifetime(lock) {} }
            guard let acceptance = try Acceptance.decide(check, environment: environment) else {
                throw CommandFailure(ExitCode.configuration)
            }
            let report = CheckReport(
                dataFolder: check.dataFolder,
                generation: acceptance.generation.number,
                secrets: acceptance.secrets,
                degraded: acceptance.degraded
            )
            Terminal.output(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
        }
    }

    struct TreeRole: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "role")

        @Argument var role: String
        @Option var data: String
        @Option var generation: Int
        @Option var replica = 1

        func run() throws {
            guard let role = Role(rawValue: role) else {
                throw CommandFailure(ExitCode.usage, "there is no role '\(role)'")
            }
            let process = WorkerProcess(
                role: role,
                name: "\(role.rawValue)/\(replica)",
                dataFolder: data,
                generation: generation,
                environment: ProcessInfo.processInfo.environment
            )
            let code = try waiting { await process.run() }
            throw CommandFailure(code)
        }
    }
}

/// What the throw-away checker tells the supervisor, over a pipe: it holds secrets and goes nowhere else.
struct CheckReport: Codable {
    var dataFolder: String
    var generation: Int
    var secrets: [String: String]
    var degraded: String?
}
