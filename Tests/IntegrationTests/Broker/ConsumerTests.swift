import Model
import TestSupport
import Testing

@testable import Messaging

@Suite("Consumer on a real broker", .requiresBroker, .timeLimit(.minutes(2)))
struct ConsumerTests {
    @Test("a message in a retry queue comes back to its stage with its headers and no older deaths")
    func retry() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            let consumer = fixture.consumer(fixture.topology.workQueue(Topology.store))
            var message = fixture.page(7, to: Topology.store)
            message.exchange = fixture.topology.retryExchange(.oneSecond)
            message.type = "message.delete"
            message.headers = WireHeaders(
                pipeline: "test",
                schema: "3",
                attempt: 2,
                firstAt: Timestamp(iso8601: "2026-11-22T20:00:00.123456Z"),
                attemptTimes: ["2026-11-22T20:00:01Z", "2026-11-22T20:00:02.5Z"].compactMap { Timestamp(iso8601: $0) },
                error: "busy: ünwell",
                worker: "parse/2",
                generation: 12,
                replay: "r1"
            )
            for _ in 0..<2 {
                let start = ContinuousClock.now
                #expect(try await publisher.publish(message) == .confirmed)
                let delivery = try await nextDelivery(of: consumer)
                #expect(ContinuousClock.now - start > .milliseconds(900))
                #expect(delivery.headers == message.headers)
                #expect(delivery.type == "message.delete")
                #expect(delivery.routingKey == Topology.store)
                #expect(delivery.queue == fixture.topology.workQueue(Topology.store))
                #expect(delivery.deathReason == "expired")
                #expect(delivery.firstDeathQueue == fixture.topology.retryQueue(.oneSecond))
                consumer.acknowledge(delivery)
            }
            await consumer.close()
            await publisher.close()
        }
    }

    @Test("a rejected message lands in the dead queue of its stage", arguments: [Topology.parse, "plugin.score"])
    func reject(stage: String) async throws {
        try await BrokerFixture.withTopology(plugins: ["score"]) { fixture in
            let publisher = fixture.publisher()
            #expect(try await publisher.publish(fixture.page(1, to: stage)) == .confirmed)
            let consumer = fixture.consumer(fixture.topology.workQueue(stage))
            consumer.reject(try await nextDelivery(of: consumer))
            let undertaker = fixture.consumer(fixture.topology.deadQueue(stage))
            let dead = try await nextDelivery(of: undertaker)
            #expect(dead.messageID == "page-1")
            #expect(dead.deathReason == "rejected")
            #expect(dead.firstDeathQueue == fixture.topology.workQueue(stage))
            undertaker.acknowledge(dead)
            await undertaker.close()
            await consumer.close()
            await publisher.close()
        }
    }

    @Test("what was not acknowledged is delivered again, and counted")
    func redelivery() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            _ = try await publisher.publish((0..<5).map { fixture.page($0) })
            let queue = fixture.topology.workQueue(Topology.parse)
            let first = fixture.consumer(queue)
            for number in 0..<5 {
                let delivery = try await nextDelivery(of: first)
                if number != 2 { first.acknowledge(delivery) }
            }
            await first.close()

            let second = fixture.consumer(queue)
            let again = try await nextDelivery(of: second)
            #expect(again.messageID == "page-2")
            #expect(again.redelivered)
            #expect(again.deliveryCount == 1)
            second.acknowledge(again)
            await second.close()
            #expect(try await fixture.holds(0, queue))
            await publisher.close()
        }
    }

    @Test("only one message is in hand until one comes that was never delivered before")
    func carefulStart() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            _ = try await publisher.publish((0..<9).map { fixture.page($0) })
            let queue = fixture.topology.workQueue(Topology.parse)
            // The first page came with a prefetch of 1, four more with the full one.
            let first = fixture.consumer(queue, prefetch: 4)
            for _ in 0..<5 { _ = try await nextDelivery(of: first) }
            await first.close()

            let second = fixture.consumer(queue, prefetch: 4)
            for number in 0..<5 {
                let delivery = try await nextDelivery(of: second)
                #expect(delivery.deliveryCount == 1)
                #expect(try await fixture.holds(8 - number, queue), "one is handed out, the rest waits")
                second.acknowledge(delivery)
            }
            for _ in 0..<4 { #expect(try await nextDelivery(of: second).deliveryCount == 0) }
            #expect(try await fixture.holds(0, queue), "all four are handed out at once")
            await second.close()
            await publisher.close()
        }
    }

    @Test("stopping returns what is unread, or leaves it to be read", arguments: [true, false])
    func stop(returningUnread: Bool) async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            _ = try await publisher.publish((0..<6).map { fixture.page($0) })
            let queue = fixture.topology.workQueue(Topology.parse)
            let consumer = fixture.consumer(queue)
            let first = try await nextDelivery(of: consumer)
            // All six are handed out once the queue is empty.
            while try await fixture.messageCount(queue) > 0 { await Task.yield() }
            await consumer.stop(returningUnread: returningUnread)
            consumer.acknowledge(first)
            var read = 0
            while let delivery = try await consumer.next() {
                consumer.acknowledge(delivery)
                read += 1
            }
            await consumer.close()
            if returningUnread {
                #expect(read == 0)
                #expect(try await fixture.holds(5, queue))
            } else {
                #expect(try await fixture.holds(5 - read, queue))
            }
            await publisher.close()
        }
    }

    @Test("while paused nothing is taken and nothing is counted as delivered again")
    func pause() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            let queue = fixture.topology.workQueue(Topology.parse)
            let consumer = fixture.consumer(queue)
            try await consumer.waitUntilConsuming()
            consumer.pause()
            // The consumer is gone once the broker counts none.
            while try await fixture.onConnection({ try $0.counts(queue: queue).consumers }) > 0 { await Task.yield() }
            _ = try await publisher.publish((0..<3).map { fixture.page($0) })
            #expect(try await fixture.holds(3, queue))
            consumer.resume()
            for number in 0..<3 {
                let delivery = try await nextDelivery(of: consumer)
                #expect(delivery.messageID == "page-\(number)")
                #expect(delivery.deliveryCount == 0)
                consumer.acknowledge(delivery)
            }
            await consumer.close()
            await publisher.close()
        }
    }

    @Test("a cancelled wait ends, and the consumer goes on")
    func cancellation() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            let consumer = fixture.consumer(fixture.topology.workQueue(Topology.parse))
            let waiting = Task { try await consumer.next() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            _ = try await publisher.publish(fixture.page(1))
            #expect(try await nextDelivery(of: consumer).messageID == "page-1")
            await consumer.close()
            #expect(try await consumer.next() == nil)
            await #expect(throws: ConsumerClosed.self) { try await consumer.waitUntilConsuming() }
            await publisher.close()
        }
    }

    @Test("a deleted queue is noticed, and consumed again once it is back")
    func deletedQueue() async throws {
        try await BrokerFixture.withTopology { fixture in
            let queue = fixture.topology.workQueue(Topology.openai)
            let consumer = fixture.consumer(queue)
            try await consumer.waitUntilConsuming()
            try await fixture.onConnection { try $0.delete(queue: queue) }
            while consumer.isConnected { await Task.yield() }
            try await TopologySetup.declare(fixture.topology, at: fixture.address, logger: fixture.logger)
            let publisher = fixture.publisher()
            _ = try await publisher.publish(fixture.page(1, to: Topology.openai))
            #expect(try await nextDelivery(of: consumer).messageID == "page-1")
            await consumer.close()
            await publisher.close()
        }
    }
}
