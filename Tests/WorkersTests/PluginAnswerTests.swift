import Model
import Rules
import Testing

@testable import Workers

@Suite struct PluginAnswerTests {
    private static let note = RecordType(
        name: "note",
        fields: [FieldType(name: "text", kind: .text, required: true), FieldType(name: "size", kind: .integer)],
        checks: ["size > 0"]
    )

    private func read(_ line: String) throws -> PluginAnswer {
        try PluginAnswer.read(line, to: Snowflake(77), records: RecordReader(records: [Self.note]))
    }

    private static func note(_ text: String) -> Record {
        Record(type: "note", fields: [Record.NamedValue("text", .text(text))])
    }

    @Test(arguments: [
        (#"{"skip":"chatter"}"#, PluginAnswer.skip("chatter")),
        (#"{"retry":"no network"}"#, .retry("no network")),
        (#"{"dead":"never"}"#, .dead("never")),
        (#" {"id":"77","skip":"","took_ms":4} "#, .skip("")),
        (#"{"id":77,"skip":"x"}"#, .skip("x")),
        (#"{"records":[]}"#, .skip("made no record of it")),
        (#"{"records":[{"record":"note","fields":{"text":"a"}}]}"#, .records([note("a")])),
        (
            #"{"records":[{"record":"note","fields":{"text":"a"}},{"record":"note","fields":{"text":"b"}}],"id":"77"}"#,
            .records([note("a"), note("b")])
        ),
        // A value that the pipeline's own check rejects is no fault of the program.
        (#"{"records":[{"record":"note","fields":{"text":"a","size":0}}]}"#, .skip("check failed: size > 0")),
        // One bad record spoils the answer: half a message is never written.
        (
            #"{"records":[{"record":"note","fields":{"text":"a"}},{"record":"nota"}]}"#,
            .dead(
                "answered what is no record: records[1]: there is no record type 'nota'; those declared are: note"
            )
        ),
        (
            #"{"records":[{"record":"note","fields":{"text":7}}]}"#,
            .dead("answered what is no record: records[0]: 'note.text' is 7, not a string")
        ),
    ])
    func answersAreRead(line: String, expected: PluginAnswer) throws {
        #expect(try read(line) == expected)
    }

    @Test(arguments: [
        ("", "is not valid JSON"),
        ("got it", "is not valid JSON"),
        (#"{"skip":"a"} {"skip":"b"}"#, "is not valid JSON"),
        (#"{"records":[{"record":"note","fields":{"text":"a","size":NaN}}]}"#, "is not valid JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "has none of 'records', 'skip', 'retry' and 'dead'"),
        (#"{"record":[]}"#, "has none of 'records', 'skip', 'retry' and 'dead'"),
        (#"{"skip":"a","records":[]}"#, "has more than one of"),
        (#"{"skip":"a","skip":"b"}"#, "has more than one of"),
        (#"{"skip":true}"#, "gives no string as 'skip'"),
        (#"{"dead":null}"#, "gives no string as 'dead'"),
        (#"{"records":{}}"#, "gives no array as 'records'"),
        (#"{"id":"78","skip":"a"}"#, "has the id of another message"),
        (#"{"id":null,"skip":"a"}"#, "has the id of another message"),
    ])
    func whatIsNoAnswerIsNotGuessedAt(line: String, reason: String) {
        #expect {
            try read(line)
        } throws: { error in
            (error as? NotAnAnswer)?.description.hasPrefix(reason) ?? false
        }
    }

    @Test func thereIsAnEndToRecords() throws {
        let many = Array(repeating: #"{"record":"note","fields":{"text":"a"}}"#, count: 1001).joined(separator: ",")
        #expect(try read(#"{"records":[\#(many)]}"#) == .dead("answered more than 1000 records"))
    }

    @Test func aQuestionIsTheObjectAsReceivedOnOneLineAndWhatIsKnown() throws {
        let payload = """
            {"id":"77","channel_id":"5","type":0,
             "timestamp":"2024-12-01T00:00:00+00:00", "content":"a \\n\\"b\\" }", "nonce": 0.10 }
            """
        let message = try Message(JSONDocument(payload).root)
        var parsed = ParsedMessage(message: message, outcome: .invalid, reason: "alerts: check failed")
        parsed.revision = 9
        let question = PluginQuestion(pipeline: "desk", channels: [Snowflake(5): "vip"])
        let line = question.line(parsed, attempt: 2)
        #expect(line.count { $0 == UInt8(ascii: "\n") } == 1)
        #expect(line.last == UInt8(ascii: "\n"))
        let json = try JSONDocument(line).root
        #expect(json["content"]?.string == "a \n\"b\" }")
        #expect(json["nonce"]?.numberLiteral == "0.10")
        #expect(json["chaffinch"]?["pipeline"]?.string == "desk")
        #expect(json["chaffinch"]?["channel"]?.string == "vip")
        #expect(json["chaffinch"]?["text"]?.string == "a \n\"b\" }")
        #expect(json["chaffinch"]?["outcome"]?.string == "invalid")
        #expect(json["chaffinch"]?["reason"]?.string == "alerts: check failed")
        #expect(json["chaffinch"]?["attempt"]?.integer == 2)
        let bare = PluginQuestion(pipeline: "desk", channels: [:]).line(
            ParsedMessage(message: message, outcome: .unmatched),
            attempt: 1
        )
        #expect(
            try JSONDocument(bare).root["chaffinch"]?.members.map(\.key) == ["pipeline", "text", "outcome", "attempt"]
        )
    }
}
