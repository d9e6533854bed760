package import Model

/// The rules of one generation, ready to run.
///
/// It owns the memory that matches are written to, so it is not `Sendable`: one for every worker, used by one thread
/// at a time.
package final class RuleSet {
    /// Longer texts are tried on no rule. Discord's own limits, embeds included, stay far below.
    package static let longestText = 64 * 1024

    /// The live rules by priority and file name, then those in shadow.
    let ordered: [RuleParser]
    private let liveCount: Int
    private let index: CandidateIndex
    /// In the order of the files; those that are off are among them.
    package let parsers: [ParserSummary]
    /// The generation it was made from, for whoever reports on it.
    package var generation = 0
    /// The files of the last resort, which are not among the rules: what they are for is asked about elsewhere.
    package internal(set) var lastResort = LastResort([])
    /// Messages so far.
    package private(set) var messages = 0
    /// Messages whose text was longer than ``longestText``.
    package private(set) var oversized = 0
    /// Messages on which the rules took longer than ``MatchBudget`` allows, so that not all were tried.
    package private(set) var cutShort = 0
    /// By place in ``ordered``.
    private var meters: [ParserMeter]
    private let budget = MatchBudget()
    private var hasTakenOver = false
    /// One message in so many is timed.
    private static let timedShare = 64

    /// What its parsers were compiled for.
    var context: RuleContext?
    private let normalizers: [Normalizer]
    /// The texts of the message at hand, one for each input and normalisation, made when first needed.
    private var texts: [NormalizedText?]
    private let usedSlots: [Int]
    /// By the names of their files.
    let byFile: [String: RuleParser]
    private var embeds = LazyEmbeds()

    init(_ parsers: [RuleParser], others: [ParserSummary] = []) {
        let sorted = parsers.sorted { ($0.head.priority, $0.file) < ($1.head.priority, $1.file) }
        let live = sorted.filter { $0.head.status == .live }
        ordered = live + sorted.filter { $0.head.status == .shadow }
        liveCount = live.count
        meters = ordered.map { ParserMeter($0.head) }
        self.parsers = (parsers.map(\.summary) + others).sorted { $0.file < $1.file }
        normalizers = Normalization.all.map { Normalizer($0) }
        texts = Array(repeating: nil, count: RuleInput.allCases.count * normalizers.count)
        usedSlots = Set(parsers.map(\.textSlot)).sorted()
        byFile = Dictionary(parsers.map { ($0.file, $0) }, uniquingKeysWith: { first, _ in first })
        index = CandidateIndex(ordered)
    }

    /// What each rule has done so far, by its id.
    package var counts: [String: ParserCounts] {
        zip(ordered, meters).reduce(into: [:]) { $0[$1.0.head.id] = $1.1.counts }
    }

    /// The rules that ran into a limit, and how often.
    package var limitHits: [String: Int] {
        counts.compactMapValues { $0.limitHits > 0 ? $0.limitHits : nil }
    }

    /// Tries the rules on a message, in their order; the first that makes a record of it wins.
    ///
    /// The outcome is `parsed`, `unmatched`, or `invalid` when a rule took its required fields, failed a later step
    /// (which `reason` names) and no later rule succeeded.
    package func parse(_ message: Message) -> ParsedMessage { decide(message).parsed(message) }

    /// What the live rules make of a message.
    enum Decision {
        case unmatched
        /// The first rule that took its required fields, and the step it failed.
        case failed(RuleParser, StepFailure)
        case taken(RuleParser, [RecordDraft])

        func parsed(_ message: Message) -> ParsedMessage {
            switch self {
            case .unmatched: ParsedMessage(message: message, outcome: .unmatched)
            case .failed(let parser, let failure):
                ParsedMessage(
                    message: message,
                    outcome: .invalid,
                    reason: "\(parser.head.id): \(failure)",
                    parser: parser.head.id,
                    parserVersion: parser.version,
                    source: .rule
                )
            case .taken(let parser, let drafts):
                ParsedMessage(
                    message: message,
                    outcome: .parsed,
                    parser: parser.head.id,
                    parserVersion: parser.version,
                    source: .rule,
                    records: drafts.map { $0.record(parser.head.record) }
                )
            }
        }
    }

    func decide(_ message: Message) -> Decision {
        messages += 1
        guard max(message.content.utf8.count, message.embedText?.utf8.count ?? 0) <= Self.longestText else {
            oversized += 1
            return .unmatched
        }
        for slot in usedSlots { texts[slot] = nil }
        embeds = LazyEmbeds()
        let candidates = index.candidates(in: message.channelID, text: { text($0, of: message) })
        let decision = decide(message, candidates)
        if liveCount < ordered.count { runShadows(message, candidates, beside: decision) }
        return decision
    }

    private func decide(_ message: Message, _ candidates: [Int]) -> Decision {
        beginBudget(MatchBudget.live)
        var decision = Decision.unmatched
        for place in candidates where place < liveCount {
            guard !budget.isSpent else {
                cutShort += 1
                break
            }
            switch verdict(place, on: message) {
            case .notTaken, .abandoned: continue
            case .failed(let step): if case .unmatched = decision { decision = .failed(ordered[place], step) }
            case .records(let drafts): return .taken(ordered[place], drafts)
            }
        }
        return decision
    }

    /// Behind the live rules and within a time of their own: a rule in shadow holds nothing up.
    private func runShadows(_ message: Message, _ candidates: [Int], beside decision: Decision) {
        beginBudget(MatchBudget.shadow)
        var admitted = candidates.drop { $0 < liveCount }
        for place in liveCount..<ordered.count {
            var verdict = Verdict.notTaken(.material)
            if admitted.first == place {
                admitted.removeFirst()
                guard !budget.isSpent else { continue }
                verdict = self.verdict(place, on: message)
            } else if !ordered[place].head.channels.admits(message.channelID) {
                continue
            }
            meters[place].compare(verdict, with: decision, of: message)
        }
    }

    /// The patterns may have served another rule set until its last message: they are taken over with the first.
    func beginBudget(_ allowed: UInt64) {
        budget.begin(allowed)
        guard !hasTakenOver else { return }
        hasTakenOver = true
        for parser in ordered { parser.limits.budget = budget }
    }

    private func verdict(_ place: Int, on message: Message) -> Verdict {
        let parser = ordered[place]
        let bytes = text(parser.textSlot, of: message).bytes
        let start = messages % Self.timedShare == 0 ? ProcessorTime.now() : 0
        let verdict = parser.parse(bytes, embeds: { embeds.read(message) })
        if start > 0 { meters[place].add(nanoseconds: ProcessorTime.now() - start) }
        meters[place].add(verdict)
        return verdict
    }

    private func text(_ slot: Int, of message: Message) -> NormalizedText {
        if let text = texts[slot] { return text }
        let input = RuleInput.allCases[slot / normalizers.count]
        let text = normalizers[slot % normalizers.count].normalize(input.text(of: message))
        texts[slot] = text
        return text
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
            version: version,
            gate: head.gate.map { .given($0.literals) } ?? gate.map { .derived($0.literals) } ?? .none
        )
    }
}
