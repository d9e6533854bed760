import Model
import PipelineFile
import Remote
import Rules
import Testing

@testable import Workers

/// What one message may cost.
@Suite struct ConversationTests {
    private func conversation(_ settings: String, _ text: String = "sell GOLD") throws -> Conversation {
        let yaml = """
            name: t
            discord: { token: "${TOKEN}" }
            channels: [ { name: room, id: "1" } ]
            records: { note: { fields: { what: { type: text, required: true } } } }
            parsers: parsers/
            openai: { \(settings) }
            """
        let file = SourceFile(name: "pipeline.yaml", text: yaml)
        let reading = PipelineReader.read(file, folder: "/", environment: [:], resolvingSecrets: false)
        let pipeline = try #require(reading.pipeline, "\(reading.diagnostics.all)")
        let rules = RuleCompiler.compile(
            [SourceFile(name: "last.yaml", text: "parser: last\nrecord: note\nengine: openai\n")],
            records: pipeline.records,
            channels: [],
            runningExamples: false
        ).rules
        let message = #"{"id":"1","channel_id":"1","type":0,"timestamp":"2026-03-01T12:00:00Z","content":"\#(text)"}"#
        let question = try #require(rules?.lastResort.question(about: Message(JSONDocument(message).root)))
        return Conversation(question, pipeline.openai, support: .honoured)
    }

    @Test("a request asks for no more than its message, the model or a day may cost")
    func limits() throws {
        let prompt = try #require(try conversation("daily_tokens: 1000000").request).estimatedPromptTokens
        #expect(try conversation("daily_tokens: 1000000").request?.maximumTokens == 4096)
        #expect(try conversation("message_tokens: 2000").request?.maximumTokens == 2000 - prompt)
        #expect(try conversation("daily_tokens: 2000").request?.maximumTokens == 2000 - prompt)
        #expect(try conversation("channel_tokens: 1900").request?.tokensSetAside == 1900)
        // Not even a prompt fits into such a day: that is for the budget to refuse, not for the message to suffer.
        #expect(try conversation("daily_tokens: 0").request?.tokensSetAside == prompt + 4096)
        // Nothing of such a message fits into what it may cost.
        #expect(try conversation("message_tokens: 1000", String(repeating: "sell ", count: 2_000)).request == nil)
    }

    @Test("what the first answer cost is no longer there for the second")
    func second() throws {
        var conversation = try conversation("message_tokens: 5000")
        #expect(!conversation.isLast)
        let answer = ModelAnswer(finishReason: "stop", content: "Sure!")
        conversation.goOn(after: answer, because: DeclineReason(.notJSON, "it is prose"), cost: 3000)
        #expect(conversation.isLast)
        let request = try #require(conversation.request)
        #expect(request.tokensSetAside == 2000)
        #expect(request.turns.map(\.role) == [.system, .user, .assistant, .user])
        conversation.goOn(after: answer, because: DeclineReason(.notJSON, "it is prose"), cost: nil)
        #expect(conversation.request.map { $0.tokensSetAside < 1500 } ?? true)
    }
}
