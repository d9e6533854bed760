package import Model

/// The rules of one generation, ready to run.
///
/// It owns the memory that matches are written to, so it is not `Sendable`: one for every worker, used by one thread
/// at a time.
package final class RuleSet {
    /// Longer texts are tried on no rule. Discord's own limits, embeds included, stay far below.
    package static let longestText = 64 * 1024

    /// By priority, then by file name.
    private let live: [RuleParser]
    private let shadows: [RuleParser]
    /// In the order of the files; those that are off are among them.
    package let parsers: [ParserSummary]
    /// Messages whose text was longer than ``longestText``.
    package private(set) var oversized = 0

    private let normalizers: [Normalizer]
    /// The texts of the message at hand, one for each input and normalisation, made when first needed.
    private var texts: [NormalizedText?]

    init(_ parsers: [RuleParser], others: [ParserSummary] = []) {
        let ordered = parsers.sorted { ($0.head.priority, $0.file) < ($1.head.priority, $1.file) }
        live = ordered.filter { $0.head.status == .live }
        shadows = ordered.filter { $0.head.status == .shadow }
        self.parsers = (parsers.map(\.summary) + others).sorted { $0.file < $1.file }
        let steps = Set(parsers.map(\.head.normalization)).sorted { $0.rawValue < $1.rawValue }
        normalizers = steps.map { Normalizer($0) }
        for parser in parsers {
            let input = RuleInput.allCases.firstIndex(of: parser.head.input)!
            let normalizer = steps.firstIndex(of: parser.head.normalization)!
            parser.textSlot = input * steps.count + normalizer
        }
        texts = Array(repeating: nil, count: RuleInput.allCases.count * steps.count)
    }

    /// What each rule has done so far, by its id.
    package var counts: [String: ParserCounts] {
        (live + shadows).reduce(into: [:]) { $0[$1.head.id] = $1.counts }
    }

    /// The rules that ran into a limit, and how often.
    package var limitHits: [String: Int] {
        counts.compactMapValues { $0.limitHits > 0 ? $0.limitHits : nil }
    }

    /// Tries the rules on a message, in their order; the first that makes a record of it wins.
    ///
    /// The outcome is `parsed`, `unmatched`, or `invalid` when a rule took its required fields, failed a later step
    /// (which `reason` names) and no later rule succeeded.
    package func parse(_ message: Message) -> ParsedMessage {
        guard max(message.content.utf8.count, message.embedText?.utf8.count ?? 0) <= Self.longestText else {
            oversized += 1
            return ParsedMessage(message: message, outcome: .unmatched)
        }
        for index in texts.indices { texts[index] = nil }
        for parser in shadows { _ = run(parser, message) }
        var failure: (parser: RuleParser, step: StepFailure)?
        for parser in live {
            switch run(parser, message) {
            case .notTaken, .abandoned: continue
            case .failed(let step): if failure == nil { failure = (parser, step) }
            case .records(let drafts):
                return ParsedMessage(
                    message: message,
                    outcome: .parsed,
                    parser: parser.head.id,
                    parserVersion: parser.version,
                    source: .rule,
                    records: drafts.map { $0.record(parser.head.record) }
                )
            }
        }
        guard let failure else { return ParsedMessage(message: message, outcome: .unmatched) }
        return ParsedMessage(
            message: message,
            outcome: .invalid,
            reason: "\(failure.parser.head.id): \(failure.step)",
            parser: failure.parser.head.id,
            parserVersion: failure.parser.version,
            source: .rule
        )
    }

    private func run(_ parser: RuleParser, _ message: Message) -> Verdict {
        guard parser.head.channels.admits(message.channelID) else { return .notTaken }
        let slot = parser.textSlot
        if texts[slot] == nil {
            texts[slot] = normalizers[slot % normalizers.count].normalize(parser.head.input.text(of: message))
        }
        if let gate = parser.head.gate, !gate.admits(texts[slot]!.folded) { return .notTaken }
        let verdict = parser.parse(texts[slot]!.bytes)
        parser.counts.add(verdict)
        return verdict
    }
}

extension ParserCounts {
    fileprivate mutating func add(_ verdict: Verdict) {
        tried += 1
        switch verdict {
        case .notTaken: break
        case .failed: failed += 1
        case .abandoned: limitHits += 1
        case .records: parsed += 1
        }
    }
}

extension RuleParser {
    var summary: ParserSummary {
        ParserSummary(
            id: head.id,
            record: head.record.name,
            priority: head.priority,
            status: head.status,
            engine: head.engine,
            file: file,
            version: version
        )
    }
}
