import Logging
import TestSupport
import Testing

@testable import Messaging

@Suite("Topology on a real broker", .requiresBroker, .timeLimit(.minutes(2)))
struct TopologyTests {
    @Test("is declared, and once more without harm")
    func idempotent() async throws {
        try await BrokerFixture.withTopology(plugins: ["score"]) { fixture in
            try await TopologySetup.declare(fixture.topology, at: fixture.address, logger: fixture.logger)
            for queue in fixture.topology.workQueues + fixture.topology.deadQueues {
                #expect(try await fixture.holds(0, queue), "the probe of \(queue) must leave no trace")
            }
        }
    }

    @Test("another argument of a queue is an error that names both, and the queue stays")
    func conflict() async throws {
        try await BrokerFixture.withTopology { fixture in
            let queue = fixture.topology.workQueue(Topology.store)
            try await fixture.onConnection { connection in
                try connection.delete(queue: queue)
                try connection.declare(
                    queue: queue,
                    arguments: [
                        AMQPField("x-queue-type", .string("quorum")), AMQPField("x-delivery-limit", .integer(3)),
                    ]
                )
            }
            let error = await #expect(throws: BrokerError.self) {
                try await TopologySetup.declare(fixture.topology, at: fixture.address, logger: fixture.logger)
            }
            #expect(error?.code == .conflict)
            #expect(error?.message.contains("'\(queue)'") == true)
            #expect(error?.message.contains("'x-") == true)
            #expect(try await fixture.holds(0, queue))
        }
    }

    @Test("a probe of a queue with a consumer is never seen by it")
    func probeIsSilent() async throws {
        try await BrokerFixture.withTopology { fixture in
            let queues = fixture.topology.queues.map(\.name)
            let consumer = fixture.consumer(fixture.topology.workQueue(Topology.parse))
            try await consumer.waitUntilConsuming()
            try await TopologySetup.probe(fixture.topology, at: fixture.address, logger: fixture.logger)
            let publisher = fixture.publisher()
            #expect(try await publisher.publish(fixture.page(1)) == .confirmed)
            let delivery = try await nextDelivery(of: consumer)
            #expect(delivery.messageID == "page-1")
            consumer.acknowledge(delivery)
            await consumer.close()
            await publisher.close()
            for queue in queues { #expect(try await fixture.holds(0, queue)) }
        }
    }

    @Test("a broker that is not there is unavailable")
    func unreachable() async throws {
        let address = try BrokerAddress("amqp://user:secret@127.0.0.1:1/")
        let error = await #expect(throws: BrokerError.self) {
            try await TopologySetup.declare(
                Topology(prefix: "test"),
                at: address,
                logger: Logger(label: "test")
            )
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("secret") == false)
    }
}
