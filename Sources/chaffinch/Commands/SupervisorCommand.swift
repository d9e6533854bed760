import ArgumentParser
import Foundation
import Messaging
import PipelineFile
import Supervision
import Workers

struct SupervisorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervisor",
        abstract: "Runs the pipeline: starts, watches and restarts every worker. The entrypoint of a container.",
        discussion: """
            Examples:
              chaffinch supervisor
              chaffinch supervisor --config other/pipeline.yaml
              chaffinch supervisor --only fetch,parse        the rest runs elsewhere, on the same broker and database

            An edit of pipeline.yaml or of a rule file is taken over while it runs; SIGHUP and `chaffinch reload` ask for
            that too.

            SIGTERM or SIGINT drains the workers and stops; a second one stops at once. Exits 0 after a clean stop, 75
            when it had to be forced, 78 when the files have errors and no earlier generation was accepted.
            """
    )

    @OptionGroup var options: ConfigOption

    @Option(help: ArgumentHelp("Run only these workers.", valueName: "a,b"))
    var only: String?

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let report = try Checker(executable: executable, config: options.config, environment: environment).run()
        let lock = try lockDataFolder(report.dataFolder)
        defer { withExtendedLifetime(lock) {} }
        let planner = TreePlanner(
            config: options.config,
            wanted: wanted,
            environment: environment,
            executable: executable
        )
        let tree = try planner.tree(report)
        let supervisor = try SupervisorProcess(tree, source: planner.source(dataFolder: report.dataFolder))
        throw CommandFailure(supervisor.run())
    }

    private func lockDataFolder(_ folder: String) throws -> DataFolderLock {
        do {
            return try DataFolderLock.acquire(folder)
        } catch {
            throw CommandFailure(ExitCode.unavailable, "\(error)")
        }
    }

    private var wanted: Set<String> {
        Set((only ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty })
    }
}

/// Runs the throw-away process that alone reads the user's files.
private struct Checker {
    let executable: String
    let config: String
    let environment: [String: String]

    /// - Throws: ``CommandFailure`` with the checker's exit code; what is wrong stands on standard error already.
    func run() throws -> CheckReport {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = ["worker", "check", "--config", config]
        process.environment = environment
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let report = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationReason == .exit else {
            throw CommandFailure(
                ExitCode.internal,
                "the check of the files was ended by signal \(process.terminationStatus)"
            )
        }
        guard process.terminationStatus == 0 else { throw CommandFailure(process.terminationStatus) }
        return try JSONDecoder().decode(CheckReport.self, from: report)
    }
}
