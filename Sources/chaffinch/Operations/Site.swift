import Foundation
import Logging
import Messaging
import Model
import PipelineFile
import Storage
import Workers

/// What the commands of an operator work on: the database and the broker of a pipeline, beside its supervisor.
struct Site {
    let pipeline: Pipeline
    private let secrets: [String: String]

    /// Reads the pipeline file and the secrets named. While the file is broken the last accepted generation stands in,
    /// as it does for the supervisor.
    ///
    /// - Throws: ``CommandFailure`` with exit code 78.
    init(_ options: ConfigOption, needing needed: Set<SecretKey>) throws {
        let environment = ProcessInfo.processInfo.environment
        let check = PipelineCheck(
            path: options.config,
            environment: environment,
            resolvingSecrets: true,
            needed: needed,
            runningExamples: false
        )
        if let pipeline = check.pipeline {
            guard pipeline.hasPipeline else {
                throw CommandFailure(ExitCode.configuration, "\(options.config) has no pipeline, only commands")
            }
            self.pipeline = pipeline
            secrets = check.secrets
            return
        }
        Terminal.error(check.rendered(colour: Terminal.errorHasColour))
        guard let accepted = try? GenerationStore(dataFolder: check.dataFolder).latest() else {
            throw CommandFailure(ExitCode.configuration)
        }
        let (secrets, diagnostics) = PipelineReader.resolveSecrets(of: accepted.pipeline, environment: environment)
        let variables = Set(needed.map(\.variable))
        guard variables.isSubset(of: secrets.keys) || !diagnostics.hasErrors else {
            throw CommandFailure(ExitCode.configuration, diagnostics.errors.first?.message ?? "")
        }
        Terminal.error("the file has errors; using generation \(accepted.number), the last accepted one")
        pipeline = accepted.pipeline
        self.secrets = secrets
    }

    var topology: Topology { Topology(pipeline) }

    func openStore(for command: String) throws -> any Store {
        guard let url = secrets[pipeline.store.url.variable] else {
            throw CommandFailure(ExitCode.configuration, "store.url is not set")
        }
        return try Storage.openStore(
            url,
            schema: StoreSchema(pipeline: pipeline.name, records: pipeline.records),
            name: "chaffinch \(command)",
            logger: Self.logger
        )
    }

    /// Opens the store, sees that it is set up for this pipeline, and closes it after `body`.
    func withStore<Result: Sendable>(
        for command: String,
        _ body: @escaping @Sendable (any Store) async throws -> Result
    ) throws -> Result {
        let store = try openStore(for: command)
        return try waiting {
            do {
                try await store.checkReady()
                let result = try await body(store)
                await store.close()
                return result
            } catch {
                await store.close()
                throw error
            }
        }
    }

    /// A publisher to the broker, once that has answered.
    ///
    /// - Throws: ``CommandFailure`` with exit code 69 when a managed broker was never started, and `BrokerError`.
    func publisher(for command: String) async throws -> Publisher {
        let url = pipeline.broker.isManaged ? ManagedBroker.url(dataFolder: pipeline.dataFolder) : brokerURL
        guard let url else {
            throw CommandFailure(
                ExitCode.unavailable,
                "the broker is a managed one and has never run; start the supervisor first"
            )
        }
        let address = try BrokerAddress(url)
        do {
            try await TopologySetup.tryConnection(to: address)
        } catch let error as BrokerError where pipeline.broker.isManaged {
            throw CommandFailure(ExitCode.unavailable, "\(error); the managed broker runs under the supervisor")
        }
        return Publisher(address: address, name: "chaffinch \(command)", logger: Self.logger)
    }

    private var brokerURL: String? { secrets[pipeline.broker.url.variable] }

    private static var logger: Logger { Logger(label: "command") { _ in JSONLogHandler(level: .error) } }
}
