import Dispatch
import Glibc
import Logging
import Messaging
import Model
import PipelineFile
import Storage

/// A worker process from start to exit code: loads its generation, runs its role, and turns what went wrong into one
/// log line and an exit code that the supervisor understands.
package struct WorkerProcess {
    private let role: Role
    private let plugin: String
    private let name: String
    private let dataFolder: String
    private let generation: Int
    private let environment: [String: String]

    /// - Parameters:
    ///   - plugin: whose host it is, for that role.
    ///   - name: `ROLE/REPLICA`, for logs and connection names.
    ///   - dataFolder: the folder that holds the generations, absolute.
    ///   - environment: brings the control channel and the secrets of this role.
    package init(
        role: Role,
        plugin: String = "",
        name: String,
        dataFolder: String,
        generation: Int,
        environment: [String: String]
    ) {
        self.role = role
        self.plugin = plugin
        self.name = name
        self.dataFolder = dataFolder
        self.generation = generation
        self.environment = environment
    }

    /// - Returns: the process's exit code (``ExitCode``).
    package func run() async -> Int32 {
        let drain = DrainSignal()
        let signals = Self.drainOnSignals(drain)
        defer { signals.forEach { $0.cancel() } }
        let control = ControlChannel(role: role.rawValue, drain: drain, environment: environment)
        var logger = Logger(label: "chaffinch") { _ in JSONLogHandler(level: .info) }
        do {
            let generation = try GenerationStore(dataFolder: dataFolder).load(generation, readingRules: role.readsRules)
            logger.logLevel = Self.level(generation.pipeline.supervisor.logLevel)
            let context = WorkerContext(
                generation: generation,
                name: name,
                logger: logger,
                control: control,
                drain: drain,
                environment: environment
            )
            let announcing = Task {
                await drain.wait()
                if !Task.isCancelled { control.say(.draining) }
            }
            defer { announcing.cancel() }
            try await play(context)
            return ExitCode.done
        } catch {
            let exitCode = Self.exitCode(of: error)
            logger.error("\(error)", metadata: ["exit_code": "\(exitCode)"])
            return exitCode
        }
    }

    private func play(_ context: WorkerContext) async throws {
        switch role {
        case .setup: try await SetupJob(context).run()
        case .store: try await StoreWorker(context).run()
        case .deadletter: try await DeadletterWorker(context).run()
        case .parse: try await ParseWorker(context).run()
        case .openai: try await OpenAIWorker(context).run()
        case .fetch: try await FetchWorker(context).run()
        case .plugin: try await PluginHost(context, plugin: plugin).run()
        }
    }

    /// Permanent failures exit 78, so that nothing is restarted until the configuration changes; what may pass exits 69.
    package static func exitCode(of error: any Error) -> Int32 {
        switch error {
        case let failure as WorkerFailure: failure.exitCode
        case let error as StoreError:
            switch error.code {
            case .unavailable, .notSetUp, .lockTimeout: ExitCode.unavailable
            case .notAdditive, .otherPipeline, .permission, .badURL: ExitCode.configuration
            case .badData, .internal: ExitCode.internal
            }
        case let error as BrokerError:
            switch error.code {
            case .accessRefused, .conflict: ExitCode.configuration
            case .unavailable, .closed, .timeout: ExitCode.unavailable
            }
        case is BrokerAddressError: ExitCode.configuration
        default: ExitCode.internal
        }
    }

    private static func drainOnSignals(_ drain: DrainSignal) -> [any DispatchSourceSignal] {
        signal(SIGPIPE, SIG_IGN)
        return [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { drain.request() }
            source.resume()
            return source
        }
    }

    private static func level(_ level: Pipeline.Supervisor.LogLevel) -> Logger.Level {
        switch level {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}
