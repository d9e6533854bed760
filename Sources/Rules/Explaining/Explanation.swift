package import Model

/// What every rule of a rule set makes of one message, and why.
package struct Explanation: Sendable {
    /// The live rules in the order they are tried, then those in shadow, then those that are off.
    package var parsers: [ParserExplanation]

    /// The rule whose records the message gets; `nil` when none succeeds.
    package var winner: ParserExplanation? { parsers.first { $0.isWinner } }
}

/// The way of one message through one rule.
package struct ParserExplanation: Sendable {
    package var summary: ParserSummary
    /// The text the rule reads, as it was written.
    package var text: String
    package var outcome: Outcome
    /// In the order they were taken. Of a rule that fails, those taken before.
    package var captures: [Capture]
    /// The first live rule with a record. Later ones are asked here all the same, which in a worker they are not.
    package var isWinner = false
    package var isReached = true

    package enum Outcome: Sendable, Equatable {
        case off
        /// `channels:` does not name the message's channel.
        case otherChannel
        /// None of the gate's literals occurs.
        case gateClosed
        /// The text is longer than ``RuleSet/longestText``.
        case tooLong
        /// Not a text for this rule, and why.
        case notTaken(String)
        /// It took its required fields, and this step failed.
        case failed(step: String, detail: String)
        /// A pattern of this step ran into the step limit.
        case abandoned(step: String)
        case parsed([Record])
    }

    /// One value, and what took it from where.
    package struct Capture: Sendable, Equatable {
        /// A field, or an element's field: `trading_stops[0].price`.
        package var field: String
        /// `match …`, `key …`, `path …`, `template …` or `value`.
        package var source: String
        package var value: String
        /// Where it stands in ``ParserExplanation/text``, in UTF-8 bytes; `nil` for constants and values of embeds.
        package var place: Range<Int>?
    }
}

extension RuleSet {
    /// Takes one message through every rule, and notes what happens. Counts are not touched.
    package func explain(_ message: Message) -> Explanation {
        let isTooLong = max(message.content.utf8.count, message.embedText?.utf8.count ?? 0) > Self.longestText
        var embeds = LazyEmbeds()
        var hasWinner = false
        let live = ordered.filter { $0.head.status == .live }
        let shadows = ordered.filter { $0.head.status == .shadow }
        var explained = (live + shadows).map { parser in
            var one = isTooLong ? tooLong(parser) : explain(parser, message, &embeds)
            if case .parsed = one.outcome, parser.head.status == .live, !hasWinner {
                one.isWinner = true
                hasWinner = true
            } else if parser.head.status == .live {
                one.isReached = !hasWinner
            }
            return one
        }
        explained += parsers.filter { $0.status == .off }.map {
            ParserExplanation(summary: $0, text: "", outcome: .off, captures: [])
        }
        return Explanation(parsers: explained)
    }

    private func tooLong(_ parser: RuleParser) -> ParserExplanation {
        ParserExplanation(summary: parser.summary, text: "", outcome: .tooLong, captures: [])
    }

    private func explain(_ parser: RuleParser, _ message: Message, _ embeds: inout LazyEmbeds) -> ParserExplanation {
        let text = parser.head.input.text(of: message)
        var explained = ParserExplanation(summary: parser.summary, text: text, outcome: .otherChannel, captures: [])
        guard parser.head.channels.admits(message.channelID) else { return explained }
        let normalized = Normalizer(parser.head.normalization).normalize(text)
        guard parser.gate?.admits(normalized.searchable) ?? true else {
            explained.outcome = .gateClosed
            return explained
        }
        let trace = ExtractionTrace()
        beginBudget(MatchBudget.live)
        let found = embeds.read(message)
        let verdict = parser.parse(normalized.bytes, embeds: { found }, trace)
        explained.captures = trace.captures.map { capture in
            ParserExplanation.Capture(
                field: capture.name,
                source: capture.source,
                value: capture.value.map(RecordOutline.shown) ?? "",
                place: capture.place.map { normalized.origin(of: $0) }
            )
        }
        explained.outcome =
            switch verdict {
            case .notTaken(let missing): .notTaken(missing.told(in: parser.head.record))
            case .failed(let failure): .failed(step: failure.step, detail: failure.detail)
            case .abandoned(let step): .abandoned(step: step)
            case .records(let drafts): .parsed(drafts.map { $0.record(parser.head.record) })
            }
        return explained
    }
}
