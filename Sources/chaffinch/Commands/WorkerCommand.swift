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
        subcommands: [CheckRole.self, TreeRole.self, PluginRole.self],
        defaultSubcommand: TreeRole.self
    )

    /// `worker check`: the throw-away process that alone reads the user's files.
    struct CheckRole: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "check")

        @OptionGroup var options: ConfigOption
        @Option(help: "Check for a supervisor that runs on this data folder, and speak with it.")
        var reload: String?
        @Option(help: "Generations to keep.")
        var inUse = ""

        func run() throws {
            if let reload { return try checkForReload(dataFolder: reload) }
            let environment = ProcessInfo.processInfo.environment
            let check = PipelineCheck(
                path: options.config,
                environment: environment,
                resolvingSecrets: true,
                comparing: true
            )
            Terminal.error(check.rendered(colour: Terminal.errorHasColour))
            // Generations are written under the lock: a supervisor that is to be refused must not move another's on.
            let lock = try DataFolderLock.acquire(check.dataFolder)
            defer { withExtendedLifetime(lock) {} }
            guard let acceptance = try Acceptance.decide(check, environment: environment) else {
                throw CommandFailure(ExitCode.configuration)
            }
            let store = GenerationStore(dataFolder: check.dataFolder)
            try store.prune()
            let report = CheckReport(
                dataFolder: check.dataFolder,
                generation: acceptance.generation.number,
                secrets: acceptance.secrets,
                degraded: acceptance.degraded,
                problems: check.diagnostics.errors.map(\.description)
            )
            Terminal.output(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
        }

        /// The supervisor holds the lock on the data folder, and lets this process write there by its acceptance.
        private func checkForReload(dataFolder: String) throws {
            let environment = ProcessInfo.processInfo.environment
            let check = PipelineCheck(
                path: options.config,
                environment: environment,
                resolvingSecrets: true,
                comparing: true
            )
            var problems = check.diagnostics.errors.map(\.description)
            var candidate = Candidate(check)
            if check.pipeline != nil, check.dataFolder != dataFolder {
                candidate = nil
                problems.append(
                    "\(options.config): 'data' cannot change while the supervisor runs; restart it, or set it back to "
                        + dataFolder
                )
            }
            let supervisor = FileHandle(fileDescriptor: 3, closeOnDealloc: false)
            try supervisor.write(contentsOf: Data(#"{"type":"checked"}"#.utf8) + Data("\n".utf8))
            guard !supervisor.availableData.isEmpty else { return }
            let store = GenerationStore(dataFolder: dataFolder)
            let generations = Set(inUse.split(separator: ",").compactMap { Int($0) })
            let acceptance: Acceptance?
            do {
                acceptance = try candidate?.accept(in: store, after: generations.max() ?? 0)
            } catch {
                try supervisor.write(contentsOf: JSONEncoder().encode(CheckFailure("\(error)")) + Data("\n".utf8))
                throw error
            }
            let report = CheckReport(
                dataFolder: dataFolder,
                generation: acceptance?.generation.number,
                secrets: acceptance?.secrets ?? [:],
                degraded: acceptance?.degraded,
                problems: problems
            )
            try supervisor.write(contentsOf: JSONEncoder().encode(report) + Data("\n".utf8))
            try store.prune(inUse: generations)
        }
    }

    struct TreeRole: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "role")

        @Argument var role: String
        @Option var data: String
        @Option(help: "By default the one named in CHAFFINCH_GENERATION.")
        var generation: Int?
        @Option var replica = 1

        func run() throws {
            guard let role = Role.builtIn.first(where: { $0.rawValue == role }) else {
                throw CommandFailure(ExitCode.usage, "there is no role '\(role)'")
            }
            let environment = ProcessInfo.processInfo.environment
            let process = WorkerProcess(
                role: role,
                name: "\(role.rawValue)/\(replica)",
                dataFolder: data,
                generation: try generation ?? Self.generation(in: environment),
                environment: environment
            )
            let code = try waiting { await process.run() }
            throw CommandFailure(code)
        }

        /// The one the supervisor names.
        static func generation(in environment: [String: String]) throws -> Int {
            guard let named = environment[ChildSpecification.Application.environmentVariable].flatMap({ Int($0) })
            else {
                throw CommandFailure(ExitCode.usage, "which generation? --generation N")
            }
            return named
        }
    }

    /// `worker plugin NAME`: the host of a command that consumes.
    struct PluginRole: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "plugin")

        @Argument var plugin: String
        @Option var data: String
        @Option(help: "By default the one named in CHAFFINCH_GENERATION.")
        var generation: Int?
        @Option var replica = 1

        func run() throws {
            let environment = ProcessInfo.processInfo.environment
            let process = WorkerProcess(
                role: .plugin,
                plugin: plugin,
                name: "\(plugin)/\(replica)",
                dataFolder: data,
                generation: try generation ?? TreeRole.generation(in: environment),
                environment: environment
            )
            throw CommandFailure(try waiting { await process.run() })
        }
    }
}

/// What the throw-away checker tells the supervisor, over a pipe: it holds secrets and goes nowhere else.
struct CheckReport: Codable {
    var dataFolder: String
    /// `nil` when nothing was accepted, which only a reload outlives.
    var generation: Int?
    var secrets: [String: String]
    var degraded: String?
    /// Every mistake, a line each, with its place.
    var problems: [String]
}

extension CheckReport {
    /// - Parameters:
    ///   - bytes: what the checker wrote.
    ///   - executable: the program that was run as the checker.
    /// - Throws: ``CommandFailure`` when that is no report. It says nothing of the bytes, among which may be secrets.
    init(_ bytes: [UInt8], of executable: String) throws {
        do {
            self = try JSONDecoder().decode(CheckReport.self, from: Data(bytes))
        } catch {
            throw CommandFailure(
                ExitCode.internal,
                "'\(executable) worker check' ended well, but its report (\(bytes.count) bytes) is none that this "
                    + "version (\(Chaffinch.version)) knows; was the program replaced meanwhile? restart the supervisor"
            )
        }
    }
}

/// Why nothing can be accepted, whatever the files say: a full disk, for one.
private struct CheckFailure: Codable {
    var type = "failed"
    var reason: String

    init(_ reason: String) { self.reason = reason }
}
