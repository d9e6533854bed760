import Foundation
import Logging
import TestSupport
import Testing

@testable import Messaging

/// A topology of a test's own on the real broker, deleted when the test ends.
struct BrokerFixture {
    let address: BrokerAddress
    let topology: Topology
    let logger: Logger

    static func withTopology(
        plugins: [String] = [],
        _ body: (BrokerFixture) async throws -> Void
    ) async throws {
        try await withPrefix(plugins: plugins) { fixture in
            try await TopologySetup.declare(fixture.topology, at: fixture.address, logger: fixture.logger)
            try await body(fixture)
        }
    }

    /// Nothing is declared yet.
    static func withPrefix(
        plugins: [String] = [],
        _ body: (BrokerFixture) async throws -> Void
    ) async throws {
        guard let url = BrokerServer.url else { throw MissingServer("CHAFFINCH_TEST_RABBITMQ_URL is not set") }
        let prefix = "test-\(UUID().uuidString.prefix(8).lowercased())"
        var logger = Logger(label: prefix)
        logger.logLevel = .error
        let fixture = BrokerFixture(
            address: try BrokerAddress(url),
            topology: Topology(prefix: prefix, plugins: plugins),
            logger: logger
        )
        do {
            try await body(fixture)
        } catch {
            try? await fixture.deleteEverything()
            throw error
        }
        try await fixture.deleteEverything()
    }

    func publisher(_ name: String = "test publisher") -> Publisher {
        Publisher(address: address, name: "\(topology.prefix) \(name)", logger: logger)
    }

    func consumer(_ queues: String..., prefetch: Int = 16) -> Consumer {
        Consumer(
            address: address,
            queues: queues,
            prefetch: prefetch,
            name: "\(topology.prefix) test consumer",
            logger: logger
        )
    }

    /// A page for a stage, numbered.
    func page(_ number: Int, to stage: String = Topology.parse, bytes: Int = 0) -> OutgoingMessage {
        let filling = String(repeating: "x", count: bytes)
        return OutgoingMessage(
            exchange: topology.workExchange,
            routingKey: stage,
            messageID: "page-\(number)",
            headers: WireHeaders(pipeline: "test"),
            body: Array(#"[{"id":"\#(number)","content":"\#(filling)"}]"#.utf8)
        )
    }

    /// Runs methods on a connection made for it.
    func onConnection<Value: Sendable>(_ work: @escaping @Sendable (AMQPConnection) throws -> Value) async throws
        -> Value
    {
        let (address, name) = (address, "\(topology.prefix) test")
        return try await onOwnThread(named: "test") {
            let connection = try AMQPConnection(address, name: name)
            defer { connection.close() }
            return try work(connection)
        }
    }

    func messageCount(_ queue: String) async throws -> Int {
        try await onConnection { try $0.counts(queue: queue).messages }
    }

    /// Whether a queue holds so many messages, at once or within five seconds: it learns of acknowledgements and returns
    /// a little later than the connection that sent them.
    func holds(_ expected: Int, _ queue: String) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            if try await messageCount(queue) == expected { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    /// Declares the queue of a stage again, with room for next to nothing, and fills it.
    func fill(_ stage: String, by publisher: Publisher) async throws {
        let queue = topology.workQueue(stage)
        let declaration = try #require(topology.queues.first { $0.name == queue })
        try await onConnection { connection in
            try connection.delete(queue: queue)
            try connection.declare(
                queue: queue,
                arguments: declaration.arguments + [AMQPField("x-max-length", .integer(1))]
            )
            try connection.bind(queue: queue, to: declaration.exchange, routingKey: declaration.routingKey)
        }
        var number = 0
        while try await publisher.publish(page(number, to: stage)) == .confirmed { number += 1 }
    }

    /// The first message of a queue, which stays there; awaited.
    func first(in queue: String) async throws -> ReceivedMessage {
        var found: ReceivedMessage?
        try await eventually("a message is in \(queue)") {
            found = try await onConnection { connection in
                guard let (message, tag) = try connection.get(queue: queue) else { return nil }
                try connection.reject(tag, requeue: true)
                return message
            }
            return found != nil
        }
        return try #require(found)
    }

    private func deleteEverything() async throws {
        let topology = topology
        try await onConnection { connection in
            for queue in topology.queues { try connection.delete(queue: queue.name) }
            for exchange in topology.exchanges { try connection.delete(exchange: exchange.name) }
        }
    }
}

/// The next delivery, or a failure after ten seconds: a test never hangs.
func nextDelivery(
    of consumer: Consumer,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws -> Delivery {
    let delivery = try await withThrowingTaskGroup(of: Delivery?.self) { group in
        group.addTask { try await consumer.next() }
        group.addTask {
            try await Task.sleep(for: .seconds(60))
            throw MissingDelivery()
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
    }
    return try #require(delivery, sourceLocation: sourceLocation)
}

struct MissingDelivery: Error {}
