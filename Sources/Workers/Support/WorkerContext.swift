package import Logging
package import Messaging
import Model
package import PipelineFile
import Storage

/// What every role gets: its generation, its secrets, and the ways to talk to the supervisor.
package struct WorkerContext: Sendable {
    /// The one it started with; ``live`` is the one it works by now.
    package let generation: Generation
    /// `fetch/1` and the like, for connection names and logs.
    package let name: String
    package let logger: Logger
    package let control: ControlChannel
    package private(set) var drain: DrainSignal
    let live: LiveGeneration
    let services: Services
    private let repair: TopologyRepair
    /// Told each time a work loop has turned, with the name of a service that it waits for.
    package var turn: @Sendable (String?) -> Void
    let environment: [String: String]

    package init(
        generation: Generation,
        name: String,
        logger: Logger,
        control: ControlChannel,
        drain: DrainSignal,
        environment: [String: String]
    ) {
        self.generation = generation
        live = LiveGeneration(generation.number)
        self.name = name
        self.logger = logger
        self.control = control
        self.drain = drain
        services = Services(control: control)
        self.environment = environment
        let url = environment[generation.pipeline.broker.url.variable]
        repair = TopologyRepair(
            Topology(generation.pipeline),
            at: url.flatMap { try? BrokerAddress($0) },
            logger: logger
        )
        turn = { control.beat(waitingFor: $0) }
    }

    var pipeline: Pipeline { generation.pipeline }

    /// The same, for a part of the work that can be asked to end alone.
    func draining(by drain: DrainSignal) -> WorkerContext {
        var context = self
        context.drain = drain
        return context
    }

    /// The value of a secret this role was given.
    ///
    /// - Throws: ``WorkerFailure`` with exit code 78 when it was not.
    func secret(_ reference: SecretReference) throws -> String {
        guard let value = environment[reference.variable], !value.isEmpty else {
            throw WorkerFailure(exitCode: ExitCode.configuration, "\(reference.variable) is not set for \(name)")
        }
        return value
    }

    /// As ``secret(_:)``, for what may be left empty: `nil` then.
    func optionalSecret(_ reference: SecretReference?) -> String? {
        reference.flatMap { environment[$0.variable] }.flatMap { $0.isEmpty ? nil : $0 }
    }

    func brokerAddress() throws -> BrokerAddress {
        try BrokerAddress(try secret(pipeline.broker.url))
    }

    var topology: Topology { Topology(pipeline) }

    var recordTypes: [String: RecordType] {
        Dictionary(uniqueKeysWithValues: pipeline.records.map { ($0.name, $0) })
    }

    /// - Parameter records: by default those of the generation it started with.
    func openStore(url: String? = nil, records: [RecordType]? = nil) throws -> any Store {
        try Storage.openStore(
            url ?? secret(pipeline.store.url),
            schema: StoreSchema(pipeline: pipeline.name, records: records ?? pipeline.records),
            name: "chaffinch \(name)",
            logger: logger
        )
    }

    func publisher() throws -> Publisher {
        Publisher(
            address: try brokerAddress(),
            name: "chaffinch \(name) publish",
            logger: logger,
            onMissing: { [repair] in repair.ask(because: $0) }
        )
    }

    /// Has the queues and exchanges declared anew, beside whatever is going on.
    func repairTopology(because reason: String) { repair.ask(because: reason) }

    /// - Parameters:
    ///   - prefetch: deliveries in hand.
    ///   - largestBody: what comes of a larger one could be too large to be published.
    ///
    /// It is paused until ``consuming(_:_:)``: what a worker took before it can work would go back to its queue, and
    /// that counts as a delivery.
    func consumer(of queues: [String], prefetch: Int = 16, largestBody: Int = largestWork) throws -> Consumer {
        let consumer = Consumer(
            address: try brokerAddress(),
            queues: queues,
            prefetch: prefetch,
            name: "chaffinch \(name) consume",
            logger: logger,
            largestBody: largestBody,
            onMissing: { [repair] in repair.ask(because: $0) }
        )
        consumer.pause()
        return consumer
    }

    /// Many times what fetch, import and parse send.
    static var largestWork: Int { OutgoingMessage.maximumBodyBytes / 4 }

    /// The headers of a message that starts here, or goes on to its next stage: it keeps when it came and which replay
    /// sent it, and its attempts begin anew.
    func headers(keeping received: WireHeaders? = nil) -> WireHeaders {
        WireHeaders(
            pipeline: pipeline.name,
            schema: received?.schema,
            firstAt: received?.firstAt ?? .now,
            replay: received?.replay
        )
    }
}

extension Topology {
    package init(_ pipeline: Pipeline) {
        self.init(prefix: pipeline.broker.prefix, plugins: pipeline.plugins.map(\.name))
    }
}

/// Exit codes of all commands (DESIGN.md, "§C commands").
package enum ExitCode {
    package static let done: Int32 = 0
    package static let failed: Int32 = 1
    package static let usage: Int32 = 64
    package static let unavailable: Int32 = 69
    package static let `internal`: Int32 = 70
    package static let forced: Int32 = 75
    package static let configuration: Int32 = 78
}

/// Why a role cannot go on: a sentence for the log and the exit code that tells the supervisor what to do.
package struct WorkerFailure: Error, CustomStringConvertible {
    package var exitCode: Int32
    package var description: String

    package init(exitCode: Int32, _ description: String) {
        self.exitCode = exitCode
        self.description = description
    }
}
