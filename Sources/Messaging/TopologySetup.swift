import Foundation
package import Logging

/// Declares a topology and proves that it works. Never deletes anything.
package enum TopologySetup {
    /// The AMQP `type` of a probe. A ``Consumer`` acknowledges such a message without showing it to anyone.
    package static let probeType = "chaffinch.probe"

    /// A broker killed within a second of first declaring a quorum queue can lose what it confirmed.
    private static let settling: Duration = .seconds(1)
    private static let verdictLimit: Duration = .seconds(20)

    /// Declares every exchange, queue and binding, waits a second, then probes each queue.
    ///
    /// - Throws: ``BrokerError``; with the code `conflict` when a queue or exchange exists with another argument, which
    ///   the message names.
    package static func declare(_ topology: Topology, at address: BrokerAddress, logger: Logger) async throws {
        try await onOwnThread(named: "setup") {
            let connection = try AMQPConnection(address, name: "\(topology.prefix) setup")
            do {
                for exchange in topology.exchanges { try connection.declare(exchange) }
                for queue in topology.queues {
                    try connection.declare(queue: queue.name, arguments: queue.arguments)
                    try connection.bind(queue: queue.name, to: queue.exchange, routingKey: queue.routingKey)
                }
            } catch let error as BrokerError {
                throw conflict(error) ?? error
            }
            connection.close()
        }
        try await Task.sleep(for: settling)
        try await probe(topology, at: address, logger: logger)
        logger.info(
            "queues are ready",
            metadata: ["broker": "\(address.redacted)", "queues": "\(topology.queues.count)"]
        )
    }

    /// Sends a message through each queue and waits for its confirm. An idle queue gives it back at once; where there
    /// are consumers, they acknowledge it silently; a queue that holds messages and has no consumer is left alone.
    ///
    /// - Throws: ``BrokerError``, naming the queue that did not answer.
    package static func probe(_ topology: Topology, at address: BrokerAddress, logger: Logger) async throws {
        try await onOwnThread(named: "setup") {
            let connection = try AMQPConnection(address, name: "\(topology.prefix) probe")
            try connection.confirmSelect()
            for queue in topology.queues { try probe(queue, over: connection, logger: logger) }
            connection.close()
        }
    }

    private static func probe(
        _ queue: QueueDeclaration,
        over connection: AMQPConnection,
        logger: Logger
    ) throws {
        let counts = try connection.counts(queue: queue.name)
        if counts.messages > 0, counts.consumers == 0 { return }
        let id = "probe-\(UUID().uuidString)"
        try connection.publish(
            OutgoingMessage(
                exchange: queue.exchange,
                routingKey: queue.probeKey,
                type: probeType,
                messageID: id,
                headers: WireHeaders(pipeline: ""),
                body: Array("[]".utf8)
            )
        )
        switch try verdict(over: connection) {
        case .confirmed: break
        case .refused:
            logger.warning("a queue is full or cannot take messages now", metadata: ["queue": "\(queue.name)"])
            return
        case .returned(_, let reason):
            throw BrokerError(.unavailable, "'\(queue.name)' is not reached by its exchange: \(reason)")
        case nil:
            throw BrokerError(.timeout, "'\(queue.name)' confirmed nothing within \(verdictLimit)")
        }
        if counts.consumers == 0 { try takeBack(id, from: queue.name, over: connection) }
    }

    /// The probe can be gone already, to a consumer that came meanwhile or past its TTL to a work queue, whose
    /// consumers know it too.
    private static func takeBack(_ id: String, from queue: String, over connection: AMQPConnection) throws {
        let end = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < end {
            guard let (message, tag) = try connection.get(queue: queue) else { return }
            if message.properties.type == probeType {
                try connection.acknowledge(tag)
                if message.properties.messageID == id { return }
            } else {
                try connection.reject(tag, requeue: true)
                return
            }
        }
    }

    private static func verdict(over connection: AMQPConnection) throws -> PublishResult? {
        var result: PublishResult?
        let event = try connection.wait(upTo: verdictLimit) { event in
            switch event {
            case .returned(_, let code, let reason):
                result = .returned(code: code, reason: reason)
                return false
            case .confirmed: return true
            default: return false
            }
        }
        guard case .confirmed(_, _, let acknowledged) = event else { return nil }
        return result ?? (acknowledged ? .confirmed : .refused)
    }

    /// Makes something readable of `PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/':
    /// received the value …`.
    static func conflict(_ error: BrokerError) -> BrokerError? {
        guard error.code == .closed(406),
            let match = error.message.firstMatch(
                of: /inequivalent arg '([^']+)' for (queue|exchange) '([^']+)' in vhost '[^']*': (.*) \(406\)/
            )
        else { return nil }
        let (_, argument, kind, name, values) = match.output
        return BrokerError(
            .conflict,
            "\(kind) '\(name)' exists with another '\(argument)' (\(values)); arguments cannot be changed: "
                + "empty and delete the \(kind) yourself, or choose another broker.prefix"
        )
    }
}
