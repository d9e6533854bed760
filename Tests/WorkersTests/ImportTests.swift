import Foundation
import Model
import Testing

@testable import Workers

@Suite struct ImportTests {
    private static func scan(_ text: String, chunk: Int) throws -> (
        elements: [ElementScanner.Element], preamble: String
    ) {
        let bytes = Array(text.utf8)
        var scanner = ElementScanner(format: try #require(ElementScanner.format(of: bytes)))
        var elements: [ElementScanner.Element] = []
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            elements += scanner.take(bytes[start..<min(start + chunk, bytes.count)])
        }
        return (elements + scanner.finish(), String(decoding: scanner.preamble, as: UTF8.self))
    }

    private static func texts(_ elements: [ElementScanner.Element]) -> [String] {
        elements.map { "\($0.line) \($0.problem ?? String(decoding: $0.bytes, as: UTF8.self))" }
    }

    @Test(arguments: [1, 3, 1000])
    func linesAreElements(chunk: Int) throws {
        let text = "{\"a\":1}\n\n not json\r\n{\"b\":\"}\"}"
        let elements = try Self.scan(text, chunk: chunk).elements
        #expect(Self.texts(elements) == ["1 {\"a\":1}", "1 ", "3  not json\r", "4 {\"b\":\"}\"}"])
        #expect(elements.last?.end == text.utf8.count)
    }

    private static let export = #"""
        {
          "guild": { "id": "7", "name": "a \"messages\": [ guild" },
          "channel": { "id": "42", "name": "vip", "messages": [1] },
          "messages": [
            { "id": "1", "content": "a } ] \" b" },
            { "id": "2",
              "embeds": [{}] }
          ],
          "messageCount": 2
        }
        """#

    @Test(arguments: [1, 5, 1000])
    func messagesOfAnExportAreElements(chunk: Int) throws {
        let (elements, preamble) = try Self.scan(Self.export, chunk: chunk)
        #expect(
            Self.texts(elements) == [
                #"5 { "id": "1", "content": "a } ] \" b" }"#, "6 { \"id\": \"2\",\n      \"embeds\": [{}] }",
            ]
        )
        let export = try ChatExport(preamble: Array(preamble.utf8))
        #expect(export.channelID == Snowflake(42) && export.guildID == Snowflake(7))
    }

    @Test func anExportThatWasCutOffSaysSo() throws {
        let half = try #require(Self.export.components(separatedBy: "\"embeds\"").first)
        #expect(
            Self.texts(try Self.scan(half, chunk: 9).elements).last
                == "6 the file ends here, in the middle of the export"
        )
    }

    @Test(
        arguments: [
            ("", nil), ("[1]", nil), ("id,content\n", nil), (" \n{\"id\":\"1\"}", true),
            ("\u{FEFF}{ \"guild\": {", false),
        ] as [(String, Bool?)]
    )
    func knowsFilesByTheirBeginning(_ text: String, _ isLines: Bool?) {
        #expect(ElementScanner.format(of: Array(text.utf8)) == isLines.map { $0 ? .lines : .export })
    }

    @Test func anExportedMessageBecomesDiscords() throws {
        let export = try ChatExport(preamble: Array(#"{"guild":{"id":"7"},"channel":{"id":"42"},"messages":["#.utf8))
        let exported = #"""
            {
              "id": "100", "type": "Reply", "timestamp": "2026-01-02T03:04:05.678+02:00",
              "timestampEdited": "2026-01-02T03:05:00+02:00", "callEndedTimestamp": null, "isPinned": true,
              "content": "", "author": { "id": "9", "name": "finch", "discriminator": "0000", "nickname": "F", "isBot": true },
              "attachments": [{ "id": "5", "url": "https://a/b.png", "fileName": "b.png", "fileSizeBytes": 12 }],
              "embeds": [{
                "title": "Signal", "url": null, "timestamp": null, "description": "", "color": "#FF8000",
                "author": { "name": "desk", "url": null },
                "footer": { "text": "end" }, "images": [], "fields": [{ "name": "Entry", "value": "68000", "isInline": true }],
                "inlineEmojis": []
              }],
              "stickers": [], "reactions": [], "mentions": [], "reference": { "messageId": "99", "channelId": "42", "guildId": "7" },
              "inlineEmojis": []
            }
            """#
        let message = try Message(JSONDocument(try export.message(Array(exported.utf8))).root)
        #expect(message.id == Snowflake(100) && message.channelID == Snowflake(42) && message.guildID == Snowflake(7))
        #expect(message.type == 19 && message.pinned && message.author == "finch" && message.authorID == Snowflake(9))
        #expect(message.sentAt == Timestamp(iso8601: "2026-01-02T01:04:05.678Z"))
        #expect(message.editedAt == Timestamp(iso8601: "2026-01-02T01:05:00Z"))
        #expect(message.embedText == "desk\nSignal\nEntry: 68000\nend")
        let json = try JSONDocument(message.payload).root
        var embeds = try #require(json["embeds"]).elements
        let embed = embeds.next()
        #expect(embed?["color"]?.integer == 0xFF8000 && embed?["description"] == nil)
        #expect(json["message_reference"]?["message_id"]?.string == "99")
    }

    @Test func forwardedTextsAreFound() throws {
        let export = try ChatExport(preamble: Array(#"{"guild":{"id":"0"},"channel":{"id":"42"},"messages":["#.utf8))
        let exported =
            #"{"id":"1","type":"Default","timestamp":"2026-01-02T03:04:05Z","content":"","forwardedMessage":{"content":"BUY","embeds":[]}}"#
        let message = try Message(JSONDocument(try export.message(Array(exported.utf8))).root)
        #expect(message.content == "BUY" && message.guildID == nil)
    }
}
