import Model
import Testing

private func object(
    id: String = "1315807571357208688",
    content: String = "hello",
    extra: String = ""
) -> String {
    """
    {"id":"\(id)","channel_id":"42","author":{"id":"7","username":"ann"},"content":"\(content)","type":0,\
    "timestamp":"2024-12-09T22:25:37.591000+00:00","edited_timestamp":null,"pinned":false,\
    "mention_everyone":false,"embeds":[],"attachments":[]\(extra)}
    """
}

private func message(_ json: String) throws -> Message { try Message(JSONDocument(json).root) }

@Suite struct MessageTests {
    @Test func readsWhatDiscordSends() throws {
        let json = object(content: "BTC\\nlong", extra: #","guild_id":"9","flags":0"#)
        let read = try message(json)
        #expect(read.id == Snowflake(1_315_807_571_357_208_688))
        #expect(read.channelID == Snowflake(42))
        #expect(read.guildID == Snowflake(9))
        #expect(read.author == "ann")
        #expect(read.content == "BTC\nlong")
        #expect(read.sentAt.iso8601 == "2024-12-09T22:25:37.591000Z")
        #expect(read.editedAt == nil)
        #expect(String(decoding: read.payload, as: UTF8.self) == json)
        #expect(read.isIngestible)
        #expect(!read.isBlank)
    }

    @Test func textComesFromEmbedsWhenThereIsNoContent() throws {
        let embeds =
            #"[{"title":"Deploy","description":"done","fields":[{"name":"env","value":"prod"}],"footer":{"text":"ci"}},{"title":"2"}]"#
        let read = try message(
            object(content: "").replacing(#""embeds":[]"#, with: #""embeds":"# + embeds)
        )
        #expect(read.text == "Deploy\ndone\nenv: prod\nci\n\n2")
        #expect(!read.isBlank)
    }

    @Test func aForwardBringsTheForwardedText() throws {
        let read = try message(
            object(content: "", extra: #","message_snapshots":[{"message":{"content":"forwarded","embeds":[]}}]"#)
        )
        #expect(read.text == "forwarded")
    }

    @Test func blankMeansNothingAtAll() throws {
        #expect(try message(object(content: "")).isBlank)
        let picture = object(content: "").replacing(#""attachments":[]"#, with: #""attachments":[{"id":"1"}]"#)
        #expect(try !message(picture).isBlank)
    }

    @Test(arguments: [
        (#"{"channel_id":"1"}"#, "message without an id: 'id' is missing"),
        (#"{"id":"x"}"#, "message without an id: 'id' is not an id"),
        (#"{"id":"5"}"#, "message 5: 'channel_id' is missing"),
        (#"{"id":"5","channel_id":"1"}"#, "message 5: 'type' is missing or not a number"),
        (#"{"id":"5","channel_id":"1","type":0}"#, "message 5: 'timestamp' is missing or not an ISO 8601 time"),
        (
            #"{"id":"5","channel_id":"1","type":0,"timestamp":"2024-12-09","content":7}"#,
            "message 5: 'content' is not a string"
        ),
        ("[]", "message without an id: 'message' is not a JSON object"),
    ])
    func saysWhatIsMissing(json: String, expected: String) throws {
        let error = #expect(throws: MessageError.self) { try message(json) }
        #expect(error?.description == expected)
    }
}

@Suite struct PageTests {
    @Test func packsAtMessageBoundaries() throws {
        let small = [UInt8](object().utf8)
        #expect(Page.pack([]).isEmpty)
        #expect(Page.pack(Array(repeating: small, count: 250)).map(\.count) == [100, 100, 50])
        let large = [UInt8](object(content: String(repeating: "x", count: 60_000)).utf8)
        #expect(Page.pack([large, large, large]).map(\.count) == [2, 1])
        let huge = [UInt8](object(content: String(repeating: "x", count: 200_000)).utf8)
        #expect(Page.pack([small, huge, small]).map(\.count) == [1, 1, 1])
        for page in Page.pack([large, large, small, huge]) {
            #expect(try Page.unpack(page.bytes).count == page.count)
            #expect(page.count == 1 || page.bytes.count <= Page.maximumBytes)
        }
    }

    @Test func aBrokenElementLeavesItsNeighbours() throws {
        let elements = try Page.unpack("[\(object(id: "1")),{\"id\":\"2\"},7,\(object(id: "3"))]")
        #expect(elements.count == 4)
        guard case .message(let first) = elements[0], case .broken(let error, let payload) = elements[1],
            case .broken = elements[2], case .message(let last) = elements[3]
        else {
            Issue.record("unexpected elements \(elements)")
            return
        }
        #expect(first.id == Snowflake(1) && last.id == Snowflake(3))
        #expect(error.id == Snowflake(2))
        #expect(String(decoding: payload, as: UTF8.self) == #"{"id":"2"}"#)
    }

    @Test func aPageIsAnArray() {
        #expect(throws: JSONError.self) { try Page.unpack(object()) }
        #expect(throws: JSONError.self) { try Page.unpack("garbage") }
    }
}

@Suite struct RecordBatchTests {
    private let type = RecordType(
        name: "signal",
        fields: [
            FieldType(name: "ticker", kind: .text), FieldType(name: "price", kind: .decimal),
            FieldType(name: "count", kind: .integer), FieldType(name: "at", kind: .timestamp),
            FieldType(name: "ok", kind: .boolean), FieldType(name: "more", kind: .json),
        ],
        lists: [ListType(name: "stops", fields: [FieldType(name: "price", kind: .decimal)])]
    )

    @Test func survivesTheWire() throws {
        let record = Record(
            type: "signal",
            fields: [
                .init("ticker", .text("BTC \"x\"\n")),
                .init("price", .decimal(ExactDecimal("0.1234567890123456789")!)), .init("count", .integer(.max)),
                .init("at", .timestamp(Timestamp(iso8601: "2024-12-09T22:25:37.591Z")!)), .init("ok", .boolean(true)),
                .init("more", .json(#"{"a":[1.50]}"#)),
            ],
            lists: [.init("stops", [[.init("price", .decimal(ExactDecimal(5)))], []])]
        )
        let batch = [
            ParsedMessage(
                message: try message(object()),
                outcome: .parsed,
                parser: "p",
                parserVersion: "abc",
                source: .rule,
                records: [record]
            ),
            ParsedMessage(message: try message(object(id: "5")), outcome: .invalid, reason: "why", revision: 9),
        ]
        let read = try RecordBatch.decode(RecordBatch.encode(batch), types: ["signal": type])
        let parsed = read.compactMap { if case .parsed(let parsed) = $0 { parsed } else { nil } }
        #expect(parsed == batch)
    }

    @Test(arguments: [
        (#""records":[{"record":"other","fields":{},"lists":{}}]"#, "record type 'other' is not known here"),
        (
            #""records":[{"record":"signal","fields":{"price":"5"},"lists":{}}]"#,
            "'signal.price' is not of type decimal"
        ),
        (#""records":[{"record":"signal","fields":{"nope":5},"lists":{}}]"#, "'signal' has no field 'nope'"),
        (#""records":[{"record":"signal","fields":{},"lists":{"nope":[]}}]"#, "'signal' has no list 'nope'"),
        (#""nothing":1"#, "'records' is missing"),
    ])
    func aBrokenElementIsNamed(rest: String, expected: String) throws {
        let json = "[{\"message\":\(object(id: "5")),\"outcome\":\"parsed\",\(rest)}]"
        guard case .broken(let error, _)? = try RecordBatch.decode(json, types: ["signal": type]).first else {
            Issue.record("the element was taken")
            return
        }
        #expect(error == RecordBatchError(id: Snowflake(5), problem: expected))
    }
}

@Suite struct ControlMessageTests {
    @Test(arguments: [
        ChildMessage.hello(protocol: ControlProtocol.name, role: "parse", pid: 7), .ready,
        .heartbeat(sequence: 3, progress: 9), .heartbeat(sequence: 3, progress: 9, backlog: 0, waiting: "the broker"),
        .extend(milliseconds: 500), .draining, .stats(["a": 1, "b": -2]),
        .generation(rules: 4, ok: false, error: "why"),
    ])
    func whatAChildSays(message: ChildMessage) {
        #expect(ChildMessage(line: message.line) == message)
    }

    @Test(arguments: [SupervisorMessage.drain(deadline: 8000), .reload(generation: 12), .ping])
    func whatTheSupervisorSays(message: SupervisorMessage) {
        #expect(SupervisorMessage(line: message.line) == message)
    }

    @Test(arguments: [
        "", "ready", "{}", #"{"type":"unknown"}"#, #"{"type":"heartbeat"}"#, #"{"type":"heartbeat","seq":-1}"#,
        #"{"type":"heartbeat","seq":1,"backlog":-1}"#,
        #"{"type":"extend","ms":0}"#, #"{"type":"hello","protocol":"other/2"}"#, #"{"type":"stats","a":"x"}"#,
    ])
    func rubbishIsNoMessage(line: String) {
        #expect(ChildMessage(line: line) == nil)
    }
}
