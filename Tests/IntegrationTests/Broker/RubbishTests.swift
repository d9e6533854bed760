import Foundation
import Model
import TestSupport
import Testing

@testable import Messaging
@testable import Storage
@testable import Workers

@Suite("What others write into a message")
struct RubbishHeaderTests {
    private static let rubbish = String(repeating: "é", count: 40_000)

    @Test("headers of any length become headers that can be published again")
    func clipsHeaders() throws {
        let names = ["cf-pipeline", "cf-schema", "cf-error", "cf-worker", "cf-replay", "cf-attempts", "cf-first-at"]
        let headers = try #require(WireHeaders(names.map { AMQPField($0, .string(Self.rubbish)) }))
        #expect(headers.firstAt == nil && headers.attemptTimes.isEmpty && headers.attempt == 0)
        let message = OutgoingMessage(exchange: "", routingKey: "q", messageID: "1", headers: headers, body: [])
        try message.checkLimits()
    }

    @Test(
        "a time that no database takes is none",
        arguments: [
            (0, true), (1_700_000_000, true), (253_402_300_800, false), (9_000_000_000_000, false), (.max, false),
        ]
    )
    func limitsTimes(seconds: UInt64, isTaken: Bool) {
        var message = ReceivedMessage(exchange: "", routingKey: "")
        message.properties.timestamp = seconds
        let delivery = Delivery(message, tag: 1, redelivered: false, queue: "q", epoch: 1)
        #expect((delivery.timestamp != nil) == isTaken)
    }
}

@Suite struct IdleWatchTests {
    @Test func oneLookProvesNothingAndTwoDo() {
        let start = ContinuousClock.now
        func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }
        var watch = IdleWatch(at: start)
        #expect(!watch.isDue(at: at(19)) && watch.isDue(at: at(20)))
        let forgotten = [(20, true), (25, false), (45, true), (50, true)].map { second, waits in
            #expect(watch.isDue(at: at(second)) && !watch.isDue(at: at(second - 1)))
            return watch.looked(somethingWaits: waits, at: at(second))
        }
        #expect(forgotten == [false, false, false, true])
        _ = watch.looked(somethingWaits: true, at: at(60))
        // Something came meanwhile.
        watch.busy(at: at(61))
        #expect(!watch.isDue(at: at(80)))
        #expect(watch.looked(somethingWaits: true, at: at(81)) == false)
    }
}

@Suite("Rubbish and gaps on a real broker", .requiresBroker, .timeLimit(.minutes(3)))
struct RubbishTests {
    @Test("what is too large to be worked on goes to the dead queue unread, and what follows it comes")
    func rejectsTheOversized() async throws {
        try await BrokerFixture.withTopology { fixture in
            let publisher = fixture.publisher()
            _ = try await publisher.publish([fixture.page(1, bytes: 5_000), fixture.page(2)])
            let consumer = Consumer(
                address: fixture.address,
                queues: [fixture.topology.workQueue(Topology.parse)],
                name: "test",
                logger: fixture.logger,
                largestBody: 4_000
            )
            let delivery = try await nextDelivery(of: consumer)
            #expect(delivery.messageID == "page-2")
            consumer.acknowledge(delivery)
            await consumer.close()
            #expect(try await fixture.holds(1, fixture.topology.deadQueue(Topology.parse)))
            await publisher.close()
        }
    }

    @Test("letters without a name of their own stay as many as they are")
    func tellsLettersApart() async throws {
        try await BrokerFixture.withPrefix { fixture in
            let bench = try WorkerBench(fixture)
            func id(_ body: String, _ messageID: String?) -> String {
                var message = ReceivedMessage(exchange: "", routingKey: Topology.parse)
                message.properties.messageID = messageID
                message.body = Array(body.utf8)
                let delivery = Delivery(message, tag: 1, redelivered: false, queue: "q", epoch: 1)
                return DeadLetter(delivery, context: bench.context).id
            }
            #expect(id("rubbish", nil) != id("other", nil))
            #expect(id("rubbish", "same") != id("other", "same"))
            #expect(id("rubbish", "same") == id("rubbish", "same"))
            let edits = ["a", "b"].map { id(#"[{"id":"5","content":"\#($0)"}]"#, "5") }
            #expect(edits == ["parse/5", "parse/5"])
        }
    }

    @Test("a consumer of a queue that was deleted and declared again at once is served in the end")
    func isNotForgotten() async throws {
        try await BrokerFixture.withTopology { fixture in
            let declaration = try #require(
                fixture.topology.queues.first { $0.name == fixture.topology.workQueue(Topology.openai) }
            )
            let consumer = fixture.consumer(declaration.name)
            try await consumer.waitUntilConsuming()
            try await fixture.onConnection { connection in
                try connection.delete(queue: declaration.name)
                try connection.declare(queue: declaration.name, arguments: declaration.arguments)
                try connection.bind(
                    queue: declaration.name,
                    to: declaration.exchange,
                    routingKey: declaration.routingKey
                )
            }
            let publisher = fixture.publisher()
            // The broker may take one of them for delivered.
            for number in 1...2 {
                #expect(try await publisher.publish(fixture.page(number, to: Topology.openai)) == .confirmed)
            }
            for number in 1...2 {
                let delivery = try await nextDelivery(of: consumer)
                #expect(delivery.messageID == "page-\(number)")
                consumer.acknowledge(delivery)
            }
            await consumer.close()
            await publisher.close()
        }
    }

    @Test("a worker that misses its queue or its exchange has them declared anew")
    func declaresAnew() async throws {
        try await BrokerFixture.withTopology { fixture in
            let bench = try WorkerBench(fixture)
            let queue = fixture.topology.workQueue(Topology.parse)
            let publishing = ConfirmedPublishing(context: bench.context, publisher: try bench.context.publisher())
            let consumer = try bench.context.consumer(of: [queue])
            consumer.resume()
            try await consumer.waitUntilConsuming()
            try await fixture.onConnection { connection in
                try connection.delete(queue: queue)
                try connection.delete(exchange: fixture.topology.workExchange)
            }
            #expect(try await publishing.publish([fixture.page(1)]))
            let delivery = try await nextDelivery(of: consumer)
            #expect(delivery.messageID == "page-1")
            consumer.acknowledge(delivery)
            await consumer.close()
            await publishing.publisher.close()
        }
    }
}
