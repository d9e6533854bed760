import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Messaging
@testable import Storage
@testable import Workers

/// The note that tells which message is in hand, while that is not what ends a worker.
@Suite("Evidence on a real broker", .requiresBroker, .timeLimit(.minutes(3)))
struct EvidenceTests {
    private static let pipeline = "records: { note: { fields: { word: { type: text } } } }"

    private func notes(_ bench: WorkerBench) -> [String] {
        let folder = bench.context.pipeline.dataFolder + "/suspects/store"
        return (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }

    /// A message split off a page over which a worker died: store acts on it alone, and notes it.
    private func suspect(_ fixture: BrokerFixture) -> OutgoingMessage {
        var message = fixture.page(7, to: Topology.store)
        message.type = WireType.batch
        message.headers.isIsolated = true
        let body =
            #"{"id":"7","channel_id":"42","type":0,"timestamp":"2026-11-22T12:00:00Z","content":"hello"}"#
        message.body = Array(#"[{"message":\#(body),"outcome":"unmatched","records":[]}]"#.utf8)
        return message
    }

    @Test("store waits for its database without a note in its hand")
    func outage() async throws {
        try await BrokerFixture.withTopology { fixture in
            let bench = try WorkerBench(fixture, role: "store", pipeline: Self.pipeline)
            let database = TestDatabase(kind: .sqlite, url: "sqlite:\(bench.folder.url.path)/rows.db")
            let store = try database.open(StoreSchema(pipeline: "test", records: bench.context.pipeline.records))
            _ = try await store.setUp()
            let worker = try StoreWorker(bench.context)
            let running = Task { try await worker.run() }
            let queue = fixture.topology.workQueue(Topology.store)
            try await eventually("store consumes") {
                try await fixture.onConnection { try $0.counts(queue: queue).consumers == 1 }
            }
            // As good as away.
            try await database.execute("ALTER TABLE messages RENAME TO away")
            let publisher = fixture.publisher()
            #expect(try await publisher.publish(suspect(fixture)) == .confirmed)
            try await eventually("the breaker is open") { bench.context.services.isOpen(.database) }
            #expect(notes(bench) == [])
            try await database.execute("ALTER TABLE away RENAME TO messages")
            try await eventually("it is stored") {
                try await store.rows("SELECT id FROM messages").rows == [["7"]]
            }
            bench.drain.request()
            try await running.value
            #expect(notes(bench) == [])
            await publisher.close()
            await store.close()
        }
    }

    @Test("a worker that is to drain puts its note away at once")
    func drain() async throws {
        try await BrokerFixture.withTopology { fixture in
            let bench = try WorkerBench(fixture, role: "store", pipeline: Self.pipeline)
            let publisher = fixture.publisher()
            _ = try await publisher.publish(suspect(fixture))
            let consumer = fixture.consumer(fixture.topology.workQueue(Topology.store))
            let delivery = try await nextDelivery(of: consumer)
            let isolation = Isolation(bench.context, stage: Topology.store)
            let hold = isolation.suspects.hold(delivery)
            let withdrawing = try #require(isolation.withdrawingOnDrain(hold))
            #expect(notes(bench).count == 1)
            bench.drain.request()
            await withdrawing.value
            #expect(notes(bench) == [])
            withExtendedLifetime(hold) {}
            consumer.acknowledge(delivery)
            await consumer.close()
            await publisher.close()
        }
    }
}
