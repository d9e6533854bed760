import Logging
import Model
import Remote
import Testing

@Suite struct RecordedPayloadTests {
    private static let name = "discord_payloads.jsonl"
    private static let recording = SharedData.bytes(of: name)

    /// The recorded objects that have what every message has.
    private static func messages(in recording: [UInt8]) throws -> [[UInt8]] {
        try recording.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let document = try JSONDocument(line)
            guard let payload = document.root["payload"], payload["channel_id"] != nil, payload["id"] != nil,
                payload["timestamp"] != nil, payload["type"] != nil
            else { return nil }
            return Array(payload.raw)
        }
    }

    @Test(
        "recorded messages are read, and keep their bytes",
        .enabled(if: recording != nil, "\(name) is not here: set CHAFFINCH_SHARED_DATA to the folder that holds it")
    )
    func recorded() async throws {
        let payloads = try Self.messages(in: try #require(Self.recording))
        try #require(payloads.count >= 10)
        let body = "[" + payloads.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ", ") + "]"
        let server = try LoopbackServer { _, _ in [.answer(200, body)] }
        defer { server.stop() }
        let logger = LogRecorder().logger
        let rest = DiscordREST(
            api: server.url(),
            token: "t",
            http: HTTPClient(userAgent: "unused", logger: logger),
            logger: logger
        )
        let page = try await rest.messages(in: Snowflake(1), .newest)
        #expect(page.count == payloads.count)
        for (element, payload) in zip(page, payloads) {
            guard case .message(let message) = element else {
                Issue.record("not read: \(element)")
                continue
            }
            #expect(message.payload == payload)
        }
    }
}
