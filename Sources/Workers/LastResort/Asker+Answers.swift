import Model
import Remote
import Rules
import Storage

extension ModelAnswer {
    init(_ answer: ChatAnswer) {
        self.init(finishReason: answer.finishReason, refusal: answer.refusal, content: answer.content)
    }

    /// Only answers that came to their end are kept.
    init(_ kept: KeptAnswer) {
        self.init(finishReason: "stop", refusal: kept.refusal, content: kept.content)
    }
}

extension LastResortVerdict {
    /// Why to ask once more at once, where that may change it. A fault is asked again later.
    var reasonToAskAgain: DeclineReason? {
        if case .declined(let reason) = self, reason.code.maySaveByAsking { reason } else { nil }
    }
}

extension KeptAnswer {
    /// `nil` for an answer that is not whole.
    init?(_ key: String, _ answer: ModelAnswer, _ question: Question, _ message: Message, _ model: String) {
        guard answer.finishReason == "stop" else { return nil }
        if case .fault = question.judge(answer) { return nil }
        self.init(
            key: key,
            messageID: message.id,
            parser: question.rule.id,
            model: model,
            refusal: answer.refusal,
            content: answer.content,
            answeredAt: .now
        )
    }
}
