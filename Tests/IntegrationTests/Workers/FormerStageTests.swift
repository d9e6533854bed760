import Foundation
import Logging
import Model
import TestSupport
import Testing

@testable import Messaging
@testable import Storage
@testable import Workers

/// Stages that the pipeline had once: of plugins that were taken out.
@Suite("Former stages on a real broker", .requiresBroker, .timeLimit(.minutes(3)))
struct FormerStageTests {
    private static let stage = Topology.plugin("gone")
    private static let message =
        #"{"id":"7","channel_id":"42","type":0,"timestamp":"2026-11-22T12:00:00Z","content":"hello"}"#

    private func letter(_ id: String, payload: String, type: String = WireType.batch) -> DeadLetter {
        DeadLetter(
            id: DeadLetter.makeID(messageID: id, stage: Self.stage),
            stage: Self.stage,
            messageIDs: [Snowflake(7)],
            errorClass: "permanent",
            errorText: "boom",
            attempts: 1,
            attemptTimes: [.noon],
            firstAt: .noon,
            lastAt: .noon,
            worker: "gone/1",
            version: "0.1.0",
            fingerprint: "f",
            payload: Array(payload.utf8),
            messageID: id,
            type: type,
            pipeline: "test"
        )
    }

    @Test("a replay leaves their letters dead, or has the rules read them", arguments: DatabaseKind.available)
    func replay(kind: DatabaseKind) async throws {
        try await BrokerFixture.withTopology(plugins: ["gone"]) { fixture in
            try await TestDatabase.withStore(kind) { store, _ in
                let batch = #"[{"message":\#(Self.message),"outcome":"unmatched","records":[]}]"#
                let letters = [letter("7", payload: batch), letter("8", payload: "no JSON")]
                try await store.insert(letters)
                let publisher = fixture.publisher()
                func replay(toParse: Bool) async throws -> DeadLetterReplay.Report {
                    try await DeadLetterReplay(
                        store: store,
                        publisher: publisher,
                        topology: fixture.topology,
                        pipeline: "test",
                        stages: [Topology.parse, Topology.store],
                        toParse: toParse,
                        startedAt: .noon
                    ).run(letters.map(\.id))
                }
                let refused = try await replay(toParse: false)
                #expect(refused.homeless == [Self.stage: 2] && refused.replayed == 0 && refused.left == 2)
                #expect(try await fixture.messageCount(fixture.topology.workQueue(Self.stage)) == 0)
                #expect(try await store.deadLetter(letters[0].id) == DeadLetterEntry(letter: letters[0]))

                let sent = try await replay(toParse: true)
                #expect(sent.replayed == 1 && sent.unreadable == 1 && sent.homeless.isEmpty)
                #expect(try await store.deadLetter(letters[0].id)?.letter.state == "replayed")
                #expect(try await store.deadLetter(letters[1].id)?.letter.state == "dead")
                let consumer = fixture.consumer(fixture.topology.workQueue(Topology.parse))
                let delivery = try await nextDelivery(of: consumer)
                #expect(String(decoding: delivery.body, as: UTF8.self) == "[\(Self.message)]")
                #expect(delivery.type == WireType.page && delivery.messageID == "7")
                consumer.acknowledge(delivery)
                await consumer.close()
                await publisher.close()
            }
        }
    }

    @Test("setup says what is left in their queues")
    func setupWarns() async throws {
        try await BrokerFixture.withPrefix(plugins: ["gone"]) { fixture in
            let with = try WorkerBench(
                fixture,
                pipeline: "workers: { gone: { command: [cat], consumes: unmatched } }"
            )
            try await SetupJob(with.context).run()
            let publisher = fixture.publisher()
            #expect(try await publisher.publish(fixture.page(1, to: Self.stage)) == .confirmed)
            await publisher.close()
            let lines = LogRecorder.Lines()
            let without = try WorkerBench(
                fixture,
                database: "sqlite:\(with.folder.url.path)/rows.db",
                logger: Logger(label: "test") { _ in LogRecorder(lines: lines) }
            )
            try await SetupJob(without.context).run()
            let warnings = lines.all.filter { $0.contains("nobody reads") }
            #expect(warnings.count == 1)
            #expect(warnings.first?.hasSuffix("pages=1 queue=\(fixture.topology.workQueue(Self.stage))") == true)
            let store = try without.context.openStore()
            for (bench, pages) in [(with, 0), (without, 1)] {
                var former = FormerQueues(bench.context)
                await former.survey(store)
                #expect(former.pages == pages)
            }
            await store.close()
        }
    }
}
