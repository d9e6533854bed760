import Model
import TestSupport
import Testing

@testable import Messaging
@testable import Workers

@Suite("parse on a real broker", .requiresBroker, .timeLimit(.minutes(3)))
struct ParseWorkerTests {
    private static let pipeline = """
        records:
          note: { fields: { word: { type: text, required: true } } }
        workers:
          slow: { command: [cat], consumes: unmatched }
        """
    private static let rules = """
        parser: words
        record: note
        fields:
          word: { match: 'word (?<value>\\w+)' }
        """

    private func page(_ number: Int, _ fixture: BrokerFixture) -> OutgoingMessage {
        func message(_ id: Int, _ content: String) -> String {
            #"{"id":"\#(id)","channel_id":"42","type":0,"timestamp":"2026-11-22T12:00:00Z","content":"\#(content)"}"#
        }
        var page = fixture.page(number)
        page.type = WireType.page
        page.body = Array("[\(message(2 * number, "word w\(number)")),\(message(2 * number + 1, "other"))]".utf8)
        return page
    }

    @Test("a full queue behind it holds up only the messages that go there")
    func fullQueueBehind() async throws {
        try await BrokerFixture.withTopology(plugins: ["slow"]) { fixture in
            let publisher = fixture.publisher()
            try await fixture.fill(Topology.plugin("slow"), by: publisher)
            let bench = try WorkerBench(fixture, role: "parse", pipeline: Self.pipeline, rules: Self.rules)
            let worker = try ParseWorker(bench.context)
            let running = Task { try await worker.run() }
            let pages = (1...40).map { page($0, fixture) }
            #expect(try await publisher.publish(pages) == Array(repeating: .confirmed, count: pages.count))

            #expect(try await fixture.holds(40, fixture.topology.workQueue(Topology.store)))
            // The others wait, each as a page for parse.
            let message = try await fixture.first(in: fixture.topology.retryQueue(.thirtySeconds))
            #expect(message.routingKey == Topology.parse && message.properties.type == WireType.page)
            #expect(WireHeaders(message.properties.headers)?.attempt == 0)
            guard case .message(let unmatched)? = try Page.unpack(message.body).first else {
                Issue.record("no message in \(String(decoding: message.body, as: UTF8.self))")
                return
            }
            #expect(unmatched.content == "other")
            bench.drain.request()
            try await running.value
            await publisher.close()
        }
    }
}
