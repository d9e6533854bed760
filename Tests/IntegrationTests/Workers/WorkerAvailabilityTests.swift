import Model
import Synchronization
import TestSupport
import Testing

@testable import Messaging
@testable import Storage
@testable import Workers

@Suite("A worker and the servers it waits for", .requiresBroker, .timeLimit(.minutes(3)))
struct WorkerAvailabilityTests {
    private func consumers(of queue: String, _ fixture: BrokerFixture) async throws -> Int {
        try await fixture.onConnection { try $0.counts(queue: queue).consumers }
    }

    @Test("takes no delivery before it works")
    func pausedUntilConsuming() async throws {
        try await BrokerFixture.withTopology { fixture in
            let queue = fixture.topology.workQueue(Topology.parse)
            let publisher = fixture.publisher()
            _ = try await publisher.publish(fixture.page(1))
            let bench = try WorkerBench(fixture)
            let consumer = try bench.context.consumer(of: [queue])
            try await eventually("it is connected") { consumer.isConnected }
            #expect(try await consumers(of: queue, fixture) == 0)
            try await bench.context.consuming(consumer) {
                let delivery = try await nextDelivery(of: consumer)
                #expect(delivery.deliveryCount == 0 && !delivery.redelivered)
                consumer.acknowledge(delivery)
                bench.drain.request()
                while try await consumer.next() != nil {}
            }
            #expect(try await fixture.holds(0, queue))
            await publisher.close()
        }
    }

    @Test("consumes again after an outage, whatever the service says then", arguments: [true, false])
    func resumes(answersWell: Bool) async throws {
        try await BrokerFixture.withTopology { fixture in
            let queue = fixture.topology.workQueue(Topology.parse)
            let publisher = fixture.publisher()
            _ = try await publisher.publish(fixture.page(1))
            let bench = try WorkerBench(fixture)
            let consumer = try bench.context.consumer(of: [queue])
            try await bench.context.consuming(consumer) {
                consumer.acknowledge(try await nextDelivery(of: consumer))
                let calls = Mutex(0)
                do {
                    let result = try await bench.context.untilAvailable(.database, pausing: consumer) {
                        let call = calls.withLock { calls in
                            calls += 1
                            return calls
                        }
                        if call == 4 {
                            try await eventually("nothing is consumed while the breaker is open") {
                                try await consumers(of: queue, fixture) == 0
                            }
                        }
                        if call < 5 { throw StoreError(.unavailable, "away") }
                        if !answersWell { throw StoreError(.badData, "no such value") }
                        return call
                    }
                    #expect(result == 5 && answersWell)
                } catch let error as StoreError {
                    #expect(error.code == .badData && !answersWell)
                }
                #expect(!bench.context.services.isOpen(.database))
                _ = try await publisher.publish(fixture.page(2))
                let next = try await nextDelivery(of: consumer)
                #expect(next.messageID == "page-2")
                consumer.acknowledge(next)
                bench.drain.request()
                while try await consumer.next() != nil {}
            }
            await publisher.close()
        }
    }
}
