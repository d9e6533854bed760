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
            try options.requirePipeline(pipeline)
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
            let message = diagnostics.errors.first?.message ?? ""
            let isShown = check.diagnostics.errors.contains { $0.message == message }
            throw CommandFailure(ExitCode.configuration, isShown ? "" : message)
        }
        Terminal.error("the file has errors; using generation \(accepted.number), the last accepted one")
        pipeline = accepted.pipeline
        try options.requirePipeline(pipeline)
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
        let address = try brokerAddress()
        do {
            try await TopologySetup.tryConnection(to: address)
        } catch let error as BrokerError where pipeline.broker.isManaged {
            throw CommandFailure(ExitCode.unavailable, "\(error); the managed broker runs under the supervisor")
        }
        return Publisher(address: address, name: "chaffinch \(command)", logger: Self.logger)
    }

    /// The stages on which somebody works: all of the pipeline's, but not a last resort that is off. It is on when it has
    /// a key, which this process need not have been given, so one that is there now is on too.
    func stagesAtWork() async throws -> Set<String> {
        var stages = Set(topology.stages)
        let environment = ProcessInfo.processInfo.environment
        let found = PipelineReader.resolveSecrets(of: pipeline, environment: environment).secrets
        if pipeline.openai.apiKey.flatMap({ found[$0.variable] }) == nil {
            let queue = topology.workQueue(Topology.openai)
            let counts = try await TopologySetup.survey([queue], at: try brokerAddress())
            if counts.first.map({ $0.consumers == 0 }) ?? true { stages.remove(Topology.openai) }
        }
        return stages
    }

    private func brokerAddress() throws -> BrokerAddress {
        let url = pipeline.broker.isManaged ? ManagedBroker.url(dataFolder: pipeline.dataFolder) : brokerURL
        guard let url else {
            throw CommandFailure(
                ExitCode.unavailable,
                "the broker is a managed one and has never run; start the supervisor first"
            )
        }
        return try BrokerAddress(url)
    }

    private var brokerURL: String? { secrets[pipeline.broker.url.variable] }

    private static var logger: Logger { Logger(label: "command") { _ in JSONLogHandler(level: .error) } }
}
