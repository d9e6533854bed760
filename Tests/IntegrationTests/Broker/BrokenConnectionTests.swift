import TestSupport
import Testing

@testable import Messaging

@Suite("Broken connections", .requiresBroker, .requiresBrokerControl, .serialized, .timeLimit(.minutes(2)))
struct BrokenConnectionTests {
    @Test("a connection closed by the broker loses nothing")
    func closedByBroker() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            let consumer = fixture.consumer(fixture.topology.workQueue(Topology.parse))
            try await consumer.waitUntilConsuming()
            let total = 4000
            let publishing = Task {
                for start in stride(from: 0, to: total, by: 50) {
                    let results = try await publisher.publish((start..<start + 50).map { fixture.page($0) })
                    #expect(results.allSatisfy { $0 == .confirmed })
                }
            }
            var seen: Set<String> = []
            while seen.count < total / 4 { try await take(from: consumer, into: &seen) }
            try await closeConnections(of: fixture)
            while seen.count < total { try await take(from: consumer, into: &seen) }
            try await publishing.value
            #expect(seen.count == total)
            await consumer.close()
            await publisher.close()
        }
    }

    @Test("an acknowledgement that belongs to a lost connection is not sent on the next one")
    func staleAcknowledgement() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            _ = try await publisher.publish(fixture.page(1))
            let consumer = fixture.consumer(fixture.topology.workQueue(Topology.parse))
            let first = try await nextDelivery(of: consumer)
            try await closeConnections(of: fixture)
            let second = try await nextDelivery(of: consumer)
            #expect(second.messageID == first.messageID)
            #expect(second.deliveryCount == 1)
            consumer.acknowledge(first)
            await consumer.close()
            #expect(try await fixture.holds(1, fixture.topology.workQueue(Topology.parse)))
            await publisher.close()
        }
    }

    @Test("while the broker is short of memory publishing waits, and then goes on")
    func blocked() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            _ = try await publisher.publish(fixture.page(0))
            _ = try await BrokerServer.control("set_vm_memory_high_watermark", "0")
            let publishing = Task {
                try await publisher.publish((1...100).map { fixture.page($0, bytes: 130_000) })
            }
            var states = ""
            while !states.contains("block") {
                states = try await BrokerServer.control("list_connections", "--no-table-headers", "state")
            }
            _ = try await BrokerServer.control("set_vm_memory_high_watermark", "0.4")
            #expect(try await publishing.value == Array(repeating: .confirmed, count: 100))
            #expect(publisher.isConnected)
            await publisher.close()
        }
    }

    private func take(from consumer: Consumer, into seen: inout Set<String>) async throws {
        let delivery = try await nextDelivery(of: consumer)
        if let id = delivery.messageID { seen.insert(id) }
        consumer.acknowledge(delivery)
    }

    private func closeConnections(of fixture: BrokerFixture) async throws {
        let listing = try await BrokerServer.control(
            "list_connections",
            "--no-table-headers",
            "pid",
            "client_properties"
        )
        for line in listing.split(separator: "\n") where line.contains(fixture.topology.prefix) {
            guard let pid = line.split(separator: "\t").first else { continue }
            _ = try await BrokerServer.control("close_connection", String(pid), "test")
        }
    }
}
