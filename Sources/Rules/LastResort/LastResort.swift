package import Model

/// The rule files of the last resort, ready to say which messages they are for.
///
/// It remembers the characters it has normalised, so it serves one thread at a time.
package final class LastResort {
    /// Those that are live first, since one request serves a message; then the shadows. Each by priority and file.
    private let rules: [LastResortRule]
    private let normalizers: [Normalizer]

    init(_ rules: [LastResortRule]) {
        let sorted = rules.sorted { ($0.priority, $0.file) < ($1.priority, $1.file) }
        self.rules = sorted.filter { $0.status == .live } + sorted.filter { $0.status == .shadow }
        normalizers = self.rules.map { Normalizer($0.normalization) }
    }

    /// Whether no message is ever asked about.
    package var isOff: Bool { rules.isEmpty }

    /// The question about a message: that of the first file whose channels and gate admit it. `nil` when none does, or
    /// the message has no text, or one longer than rules read.
    package func question(about message: Message) -> Question? {
        for place in rules.indices {
            if case .admitted(let question) = admission(of: message, to: place) { return question }
        }
        return nil
    }

    /// What each file would make of a message that no rule and no plugin reads, in their order. Nobody is asked.
    package func explain(_ message: Message) -> [LastResortExplanation] {
        var first: String?
        return rules.indices.map { place in
            var admission = admission(of: message, to: place)
            if case .admitted = admission {
                if let first { admission = .takenBy(first) }
                first = first ?? rules[place].id
            }
            return LastResortExplanation(rule: rules[place].summary, admission: admission)
        }
    }

    private func admission(of message: Message, to place: Int) -> LastResortExplanation.Admission {
        let rule = rules[place]
        guard rule.channels.admits(message.channelID) else { return .otherChannel }
        let written = rule.input.text(of: message)
        guard written.utf8.count <= RuleSet.longestText else { return .tooLong }
        let text = normalizers[place].normalize(written)
        guard text.bytes.contains(where: { !$0.isASCIISpace }) else { return .noText }
        guard rule.gate?.admits(text.searchable) ?? true else { return .gateClosed }
        return .admitted(Question(rule: rule, text: text.bytes))
    }
}

/// Whether a file of the last resort would ask about a message.
package struct LastResortExplanation: Sendable {
    package enum Admission: Sendable {
        case admitted(Question)
        /// It would, but the file of this id comes first, and one request serves a message.
        case takenBy(String)
        /// `channels:` does not name the message's channel.
        case otherChannel
        /// None of the gate's literals occurs.
        case gateClosed
        case noText
        /// The text is longer than ``RuleSet/longestText``.
        case tooLong
    }

    package var rule: ParserSummary
    package var admission: Admission
}

/// What is asked about one message.
package struct Question: Sendable {
    package let rule: LastResortRule
    /// The message's text, normalised: this is what is sent, and what quotes must stand in.
    private let text: [UInt8]

    init(rule: LastResortRule, text: [UInt8]) {
        self.rule = rule
        self.text = text
    }

    /// What the server is told first.
    ///
    /// - Parameter spellingOutSchema: also as text, for servers that pay no heed to the schema beside it.
    package func system(spellingOutSchema: Bool) -> String {
        spellingOutSchema ? rule.system + QuestionText.spellingOut(rule.schema) : rule.system
    }

    /// The message, delimited.
    package var user: String { QuestionText.user(String(decoding: text, as: UTF8.self)) }

    /// What is said when an answer was declined and is asked for once more.
    package func correction(_ reason: DeclineReason) -> String { QuestionText.correction(reason) }

    /// Equal for questions that have the same answer: the same text, schema and prompt, put to the same model.
    package func key(model: String) -> String {
        var digest = rule.promptDigest
        digest.add(model.utf8)
        digest.add(text)
        return digest.text
    }

    /// Judges an answer by the message alone; see ``AnswerJudge``.
    package func judge(_ answer: ModelAnswer) -> LastResortVerdict {
        AnswerJudge(rule: rule, text: text).judge(answer)
    }
}
