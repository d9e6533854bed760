/// The names and arguments of every exchange and queue of a pipeline. Pure; ``TopologySetup`` declares them.
package struct Topology: Sendable, Equatable {
    package let prefix: String
    /// `parse`, `openai`, `store`, then `plugin.<name>` for each plugin that consumes. A stage is the routing key of
    /// its work queue and of its dead queue.
    package let stages: [String]

    package static let parse = "parse"
    package static let openai = "openai"
    package static let store = "store"

    package static func plugin(_ name: String) -> String { "plugin.\(name)" }

    package init(prefix: String, plugins: [String] = []) {
        self.prefix = prefix
        stages = [Self.parse, Self.openai, Self.store] + plugins.map(Self.plugin)
    }

    package var workExchange: String { "\(prefix).work" }
    package var deadExchange: String { "\(prefix).dead" }
    package func retryExchange(_ level: RetryLevel) -> String { "\(prefix).retry.\(level.rawValue)" }

    package func workQueue(_ stage: String) -> String { "\(prefix).\(stage)" }
    package func deadQueue(_ stage: String) -> String { "\(prefix).dead.\(stage)" }
    /// A retry queue bears the name of its exchange.
    package func retryQueue(_ level: RetryLevel) -> String { retryExchange(level) }

    package var workQueues: [String] { stages.map(workQueue) }
    package var deadQueues: [String] { stages.map(deadQueue) }

    /// How long a message waits before it is tried again.
    package enum RetryLevel: String, Sendable, CaseIterable {
        case oneSecond = "1s"
        case fiveSeconds = "5s"
        case thirtySeconds = "30s"
        case twoMinutes = "2m"
        case tenMinutes = "10m"

        package var delay: Duration {
            switch self {
            case .oneSecond: .seconds(1)
            case .fiveSeconds: .seconds(5)
            case .thirtySeconds: .seconds(30)
            case .twoMinutes: .seconds(120)
            case .tenMinutes: .seconds(600)
            }
        }

        /// The level for a message that has been retried `attempt` times before, counted from 0; `nil` when it has
        /// been through them all and must go dead.
        package init?(attempt: Int) {
            guard Self.allCases.indices.contains(attempt) else { return nil }
            self = Self.allCases[attempt]
        }
    }
}

/// An exchange as it is declared: always durable.
struct ExchangeDeclaration: Sendable, Equatable {
    enum Kind: String { case direct, fanout }
    var name: String
    var kind: Kind
}

/// A queue as it is declared, always durable, and its one binding.
struct QueueDeclaration: Sendable, Equatable {
    var name: String
    var arguments: [AMQPField]
    var exchange: String
    var routingKey: String
    /// The routing key a probe is published with, to `exchange`.
    var probeKey: String { routingKey.isEmpty ? Topology.parse : routingKey }
}

extension Topology {
    /// Work and retry queues refuse publishing beyond this many bytes.
    static let maximumQueueBytes: Int64 = 1 << 30
    /// Redeliveries after which RabbitMQ itself dead-letters; a worker acts long before.
    static let deliveryLimit: Int64 = 20
    /// RabbitMQ 4 defaults to 20 and would drop dead letters that are browsed.
    static let deadDeliveryLimit: Int64 = 1_000_000

    var exchanges: [ExchangeDeclaration] {
        [
            ExchangeDeclaration(name: workExchange, kind: .direct),
            ExchangeDeclaration(name: deadExchange, kind: .direct),
        ]
            + RetryLevel.allCases.map { ExchangeDeclaration(name: retryExchange($0), kind: .fanout) }
    }

    /// Dead queues first: a work queue never exists without the place its rejects go to.
    var queues: [QueueDeclaration] {
        stages.map(deadDeclaration) + stages.map(workDeclaration) + RetryLevel.allCases.map(retryDeclaration)
    }

    private func workDeclaration(_ stage: String) -> QueueDeclaration {
        QueueDeclaration(
            name: workQueue(stage),
            arguments: Self.deadLettering(to: deadExchange) + [
                AMQPField("x-dead-letter-routing-key", .string(stage)),
                AMQPField("x-delivery-limit", .integer(Self.deliveryLimit)),
            ],
            exchange: workExchange,
            routingKey: stage
        )
    }

    /// One TTL a queue, never per message: a long one would block the short ones behind it. Without a dead-letter
    /// routing key the message keeps its stage.
    private func retryDeclaration(_ level: RetryLevel) -> QueueDeclaration {
        QueueDeclaration(
            name: retryQueue(level),
            arguments: Self.deadLettering(to: workExchange) + [
                AMQPField("x-message-ttl", .integer(level.delay.components.seconds * 1000))
            ],
            exchange: retryExchange(level),
            routingKey: ""
        )
    }

    private func deadDeclaration(_ stage: String) -> QueueDeclaration {
        QueueDeclaration(
            name: deadQueue(stage),
            arguments: [
                AMQPField("x-queue-type", .string("quorum")),
                AMQPField("x-delivery-limit", .integer(Self.deadDeliveryLimit)),
            ],
            exchange: deadExchange,
            routingKey: stage
        )
    }

    private static func deadLettering(to exchange: String) -> [AMQPField] {
        [
            AMQPField("x-queue-type", .string("quorum")),
            AMQPField("x-dead-letter-exchange", .string(exchange)),
            AMQPField("x-dead-letter-strategy", .string("at-least-once")),
            AMQPField("x-overflow", .string("reject-publish")),
            AMQPField("x-max-length-bytes", .integer(maximumQueueBytes)),
        ]
    }
}
