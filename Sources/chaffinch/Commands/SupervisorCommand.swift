import ArgumentParser
import Foundation
import Messaging
import Model
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

    func validate() throws {
        // An unset variable of whoever calls must not become the whole tree.
        if only != nil, wanted.isEmpty { throw ValidationError("--only names no worker; leave it out to run all") }
    }

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let manager = FileManager.default
        guard let executable = try? manager.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            throw CommandFailure(ExitCode.configuration, "there is no /proc, which the supervisor needs: mount it")
        }
        let begin = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        let check = StartCheck(executable: executable, config: options.config, environment: environment)
        guard let report = try check.run() else { throw CommandFailure(ExitCode.done) }
        let lock = try lockDataFolder(report.dataFolder)
        let planner = TreePlanner(
            config: options.config,
            wanted: wanted,
            environment: environment,
            executable: executable
        )
        let tree = try planner.tree(report)
        let source = planner.source(dataFolder: report.dataFolder, checkedSince: begin)
        let supervisor = try SupervisorProcess(tree, source: source, lock: lock)
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
