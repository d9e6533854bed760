import TestSupport
import Testing

@testable import Messaging

@Suite("Publisher on a real broker", .requiresBroker, .timeLimit(.minutes(2)))
struct PublisherTests {
    @Test("pages of every size arrive, in order, with their headers", arguments: [1, 100, 130_000, 1_048_576])
    func roundTrip(size: Int) async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            let pages = (0..<20).map { fixture.page($0, bytes: size) }
            let results = try await publisher.publish(pages)
            #expect(results == Array(repeating: .confirmed, count: pages.count))

            let consumer = fixture.consumer(fixture.topology.workQueue(Topology.parse))
            for page in pages {
                let delivery = try await nextDelivery(of: consumer)
                #expect(delivery.messageID == page.messageID)
                #expect(delivery.body == page.body)
                #expect(delivery.headers == page.headers)
                #expect(delivery.deliveryCount == 0)
                #expect(!delivery.redelivered)
                consumer.acknowledge(delivery)
            }
            await consumer.close()
            await publisher.close()
            #expect(try await fixture.holds(0, fixture.topology.workQueue(Topology.parse)))
        }
    }

    @Test("a message no queue takes is returned, its neighbours are confirmed")
    func returned() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            let results = try await publisher.publish([
                fixture.page(1), fixture.page(2, to: "nowhere"), fixture.page(3),
            ])
            #expect(results == [.confirmed, .returned(code: 312, reason: "NO_ROUTE"), .confirmed])
            await publisher.close()
        }
    }

    @Test("a full queue refuses, and takes messages again once it is emptied")
    func refused() async throws {
        try await BrokerFixture.withTopology { fixture in
            let queue = "\(fixture.topology.prefix).small"
            try await fixture.onConnection { connection in
                try connection.declare(
                    queue: queue,
                    arguments: [
                        AMQPField("x-queue-type", .string("quorum")),
                        AMQPField("x-overflow", .string("reject-publish")),
                        AMQPField("x-max-length", .integer(2)),
                    ]
                )
            }
            let publisher = fixture.publisher()
            func publish(_ number: Int) async throws -> PublishResult {
                var message = fixture.page(number)
                message.exchange = ""
                message.routingKey = queue
                return try await publisher.publish(message)
            }
            // A quorum queue applies its limit a little late.
            var number = 0
            while try await publish(number) == .confirmed, number < 50 { number += 1 }
            #expect((2..<50).contains(number))

            let consumer = fixture.consumer(queue)
            for _ in 0..<number { consumer.acknowledge(try await nextDelivery(of: consumer)) }
            var result = try await publish(100)
            while result == .refused { result = try await publish(100) }
            #expect(result == .confirmed)
            await consumer.close()
            await publisher.close()
            try await fixture.onConnection { try $0.delete(queue: queue) }
        }
    }

    @Test("many calls at once all get their own verdicts")
    func pipelined() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            try await withThrowingTaskGroup(of: (Int, [PublishResult]).self) { group in
                for call in 0..<50 {
                    let pages = (0..<10).map { fixture.page(call * 10 + $0, to: call % 2 == 0 ? "parse" : "nowhere") }
                    group.addTask { (call, try await publisher.publish(pages)) }
                }
                for try await (call, results) in group {
                    let expected: PublishResult = call % 2 == 0 ? .confirmed : .returned(code: 312, reason: "NO_ROUTE")
                    #expect(results == Array(repeating: expected, count: 10))
                }
            }
            await publisher.close()
        }
    }

    @Test("cancelling a call ends its wait, closing ends all waits")
    func cancellation() async throws {
        let address = try BrokerAddress("amqp://127.0.0.1:1/")
        try await BrokerFixture.withPrefix { fixture in
            let publisher = Publisher(address: address, name: "test", logger: fixture.logger)
            let cancelled = Task { try await publisher.publish(fixture.page(1)) }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }

            let waiting = Task { try await publisher.publish(fixture.page(2)) }
            #expect(!publisher.isConnected)
            await publisher.close()
            await #expect(throws: PublisherClosed.self) { try await waiting.value }
        }
    }

    @Test("a message the broker could never take is refused before it breaks the connection")
    func unpublishable() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            var longID = fixture.page(1)
            longID.messageID = String(repeating: "x", count: 256)
            var longHeader = fixture.page(2)
            longHeader.headers.schema = String(repeating: "x", count: 70_000)
            let largeBody = fixture.page(3, bytes: OutgoingMessage.maximumBodyBytes)
            for message in [longID, longHeader, largeBody] {
                await #expect(throws: UnpublishableMessage.self) { _ = try await publisher.publish([message]) }
            }
            var longError = fixture.page(4)
            longError.headers.error = String(repeating: "ü", count: 100_000)
            let result = try await publisher.publish(longError)
            #expect(result == .confirmed)
            await publisher.close()
        }
    }
}
