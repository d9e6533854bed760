import Model
import TestSupport
import Testing

@testable import Messaging
@testable import Workers

@Suite("A plugin's host on a real broker", .requiresBroker, .timeLimit(.minutes(3)))
struct PluginHostTests {
    private static let pipeline = """
        records:
          note: { fields: { word: { type: text, required: true } } }
        workers:
          first:
            consumes: unmatched
            command:
              - sh
              - -c
              - |
                while read -r line; do
                  case $line in
                    *take*) echo '{"records":[{"record":"note","fields":{"word":"x"}}]}' ;;
                    *) echo '{"skip":"not mine"}' ;;
                  esac
                done
          slow: { command: [cat], consumes: unmatched }
        """

    private func page(_ number: Int, _ fixture: BrokerFixture) -> OutgoingMessage {
        func element(_ id: Int, _ content: String) -> String {
            #"{"message":{"id":"\#(id)","channel_id":"42","type":0,"timestamp":"2026-11-22T12:00:00Z","#
                + #""content":"\#(content)"},"outcome":"unmatched","records":[]}"#
        }
        var page = fixture.page(number, to: Topology.plugin("first"))
        page.type = WireType.batch
        page.body = Array("[\(element(2 * number, "take this")),\(element(2 * number + 1, "other"))]".utf8)
        return page
    }

    @Test("a full queue behind it holds up only the messages that go there")
    func fullQueueBehind() async throws {
        try await BrokerFixture.withTopology(plugins: ["first", "slow"]) { fixture in
            let publisher = fixture.publisher()
            try await fixture.fill(Topology.plugin("slow"), by: publisher)
            let bench = try WorkerBench(fixture, role: "plugin", pipeline: Self.pipeline)
            let host = try PluginHost(bench.context, plugin: "first")
            let running = Task { try await host.run() }
            let pages = (1...20).map { page($0, fixture) }
            #expect(try await publisher.publish(pages) == Array(repeating: .confirmed, count: pages.count))

            #expect(try await fixture.holds(20, fixture.topology.workQueue(Topology.store)))
            // The others wait, each as a page for parse, from where they start anew.
            let message = try await fixture.first(in: fixture.topology.retryQueue(.tenMinutes))
            #expect(message.routingKey == Topology.parse && message.properties.type == WireType.page)
            #expect(WireHeaders(message.properties.headers)?.attempt == 0)
            guard case .message(let skipped)? = try Page.unpack(message.body).first else {
                Issue.record("no message in \(String(decoding: message.body, as: UTF8.self))")
                return
            }
            #expect(skipped.content == "other")
            bench.drain.request()
            try await running.value
            await publisher.close()
        }
    }
}
