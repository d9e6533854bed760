import Foundation
import Messaging
import Model
import PipelineFile
import Supervision
import Workers

/// Makes what a check reports into the tree to run, at the start and at every reload.
final class TreePlanner {
    private let config: String
    private let wanted: Set<String>
    private let environment: [String: String]
    private let executable: String
    /// Prepared once: its ports and its password are for good.
    private var managed: ManagedBroker?
    /// The last one that made a tree.
    private var generation = 0
    /// The rule files' folder as last known: a broken `pipeline.yaml` does not name one.
    private var parsersFolder: String?

    /// - Parameters:
    ///   - config: the path of `pipeline.yaml`.
    ///   - wanted: the roles and commands to run; all when empty.
    init(config: String, wanted: Set<String>, environment: [String: String], executable: String) {
        self.config = config
        self.wanted = wanted
        self.environment = environment
        self.executable = executable
    }

    /// - Throws: ``CommandFailure`` for what `--only` names and the pipeline has not, and for a broker that cannot be
    ///   prepared; ``FileProblem`` when the generation cannot be read.
    func tree(_ report: CheckReport) throws -> TreeSpecification {
        guard let number = report.generation else { throw CommandFailure(ExitCode.configuration) }
        let store = GenerationStore(dataFolder: report.dataFolder)
        let pipeline = try store.load(number, readingRules: false).pipeline
        parsersFolder = pipeline.parsersFolder
        var builder = TreeBuilder(
            pipeline: pipeline,
            generation: number,
            secrets: report.secrets,
            only: wanted,
            environment: environment,
            executable: executable
        )
        let unknown = wanted.subtracting(builder.knownNames)
        guard unknown.isEmpty else {
            throw CommandFailure(
                ExitCode.usage,
                "--only names no worker '\(unknown.sorted()[0])'; there are \(builder.knownNames.joined(separator: ", "))"
            )
        }
        let needsBroker = pipeline.broker.isManaged && builder.runsPipeline
        if needsBroker {
            let broker = try managed ?? prepareBroker(pipeline)
            managed = broker
            builder.secrets[pipeline.broker.url.variable] = broker.url
        }
        let children = try builder.children(managedBroker: needsBroker ? managed : nil)
        self.generation = number
        return TreeSpecification(
            name: pipeline.name,
            generation: number,
            degraded: report.degraded,
            children: children,
            stopTimeout: pipeline.supervisor.stopTimeout,
            statusSocket: pipeline.dataFolder + "/supervisor.sock",
            log: Self.logSettings(pipeline.supervisor)
        )
    }

    /// Where the trees after the first come from.
    ///
    /// - Parameter checkedSince: when the check began that the first tree came from.
    func source(dataFolder: String, checkedSince: Timestamp) -> ReloadSource {
        let store = GenerationStore(dataFolder: dataFolder)
        return ReloadSource(
            command: { [executable, config] inUse in
                [executable, "worker", "check", "--config", config, "--reload", dataFolder]
                    + ["--in-use", inUse.map(String.init).joined(separator: ",")]
            },
            environment: environment,
            watched: watched,
            checkedSince: checkedSince,
            read: { [self, executable] line in
                let report = try CheckReport(line, of: executable)
                guard let number = report.generation else {
                    return ReloadSource.Finding(tree: nil, problems: report.problems, watched: watched)
                }
                do {
                    let tree = try self.tree(report)
                    return ReloadSource.Finding(tree: tree, problems: report.problems, watched: watched)
                } catch {
                    // Nobody works by it, and nobody can.
                    if number > generation { try? store.withdraw(number) }
                    throw error
                }
            },
            withdraw: { [self] number in
                try? store.withdraw(number)
                // The next one to be accepted has its number.
                generation = min(generation, number - 1)
            }
        )
    }

    private var watched: WatchedPaths {
        WatchedPaths(file: URL(fileURLWithPath: config).path, folder: parsersFolder)
    }

    private func prepareBroker(_ pipeline: Pipeline) throws -> ManagedBroker {
        do {
            return try ManagedBroker.prepare(dataFolder: pipeline.dataFolder)
        } catch {
            throw CommandFailure(ExitCode.unavailable, "\(error)")
        }
    }

    private static func logSettings(_ settings: Pipeline.Supervisor) -> LogSettings {
        LogSettings(
            format: LogSettings.Format(rawValue: settings.logFormat.rawValue) ?? .auto,
            level: LogSettings.Level(rawValue: settings.logLevel.rawValue) ?? .info
        )
    }
}
