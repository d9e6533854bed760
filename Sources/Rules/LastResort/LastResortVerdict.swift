package import Model

/// What a model said, as far as the connection and the server's envelope were in order.
package struct ModelAnswer: Sendable, Equatable {
    /// `stop` when the model ended by itself; also `length`, `content_filter` and others.
    package var finishReason: String
    /// Why the model would not answer.
    package var refusal: String?
    package var content: String

    package init(finishReason: String, refusal: String? = nil, content: String) {
        self.finishReason = finishReason
        self.refusal = refusal
        self.content = content
    }
}

/// What the last resort came to for one message.
package enum LastResortVerdict: Sendable, Equatable {
    /// At least one, each typed, grounded and checked.
    case records([Record])
    case declined(DeclineReason)
    /// The answer is not whole. What the message holds is not known, so it is asked again later.
    case fault(String)
}

/// Why nothing was made of a message.
package struct DeclineReason: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is counted.
    package enum Code: String, Sendable, CaseIterable {
        /// The model found none.
        case noRecord = "no record"
        case refused
        case notJSON = "not JSON"
        case schema
        case ungrounded
        case check = "check failed"
        /// The message does not fit into the tokens one message may cost.
        case tooLong = "too long"
        /// The day's tokens are spent, and the pipeline says to skip.
        case budget
        /// The message was deleted while it waited, so nobody was asked about it.
        case deleted

        /// Whether asking once more, with the reason, may help.
        package var maySaveByAsking: Bool {
            switch self {
            case .notJSON, .schema, .ungrounded, .check: true
            case .noRecord, .refused, .tooLong, .budget, .deleted: false
            }
        }
    }

    package var code: Code
    package var detail: String

    package init(_ code: Code, _ detail: String = "") {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail.isEmpty ? code.rawValue : "\(code.rawValue): \(detail)" }
}
