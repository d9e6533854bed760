package import PipelineFile
package import Remote
package import Rules

/// What is asked about one message: one question, and once more with the reason where the answer does not hold, both
/// within the tokens that one message may cost.
package struct Conversation: Sendable {
    private let question: Question
    private let settings: Pipeline.OpenAI
    private let support: SchemaSupport
    private var turns: [ChatRequest.Turn]
    private var left: Int
    /// The answer that did not hold.
    private(set) var earlier: ModelAnswer?

    /// An answer with fewer tokens than this could not hold a record.
    private static let leastAnswerTokens = 256
    private static let mostAnswerTokens = 4096

    package init(_ question: Question, _ settings: Pipeline.OpenAI, support: SchemaSupport) {
        self.question = question
        self.settings = settings
        self.support = support
        turns = [
            ChatRequest.Turn(.system, question.system(spellingOutSchema: support != .honoured)),
            ChatRequest.Turn(.user, question.user),
        ]
        left = settings.messageTokens
    }

    var isLast: Bool { earlier != nil }

    /// The next question; `nil` when it does not fit into the tokens that are left.
    package var request: ChatRequest? {
        var request = ChatRequest(
            model: settings.model,
            turns: turns,
            schema: support == .refused ? nil : question.rule.schema,
            maximumTokens: 0
        )
        let room = left - request.estimatedPromptTokens
        guard room >= Self.leastAnswerTokens else { return nil }
        request.maximumTokens = min(room, Self.mostAnswerTokens)
        // Where a day may cost little, one request must not ask for more than all of it; what does not even fit into
        // that is the budget's to refuse.
        let day = min(settings.dailyTokens, settings.channelTokens ?? .max) - request.estimatedPromptTokens
        if day >= Self.leastAnswerTokens { request.maximumTokens = min(request.maximumTokens, day) }
        return request
    }

    /// Goes on after an answer that does not hold.
    ///
    /// - Parameter cost: what it cost in tokens; `nil` when that is not known any more.
    mutating func goOn(after answer: ModelAnswer, because reason: DeclineReason, cost: Int?) {
        left -= cost ?? request.map { $0.estimatedPromptTokens + answer.content.utf8.count / 3 } ?? 0
        earlier = answer
        turns.append(ChatRequest.Turn(.assistant, answer.content))
        turns.append(ChatRequest.Turn(.user, question.correction(reason)))
    }
}

extension ChatRequest {
    /// What is set aside for it: the most it should cost.
    package var tokensSetAside: Int { estimatedPromptTokens + maximumTokens }
}
