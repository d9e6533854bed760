internal import Model

/// One rule file, ready to run.
final class RuleParser {
    let head: RuleHead
    /// The file's name as diagnostics show it.
    let file: String
    let version: String
    /// The file's own, or one derived from what it requires; `nil` when the rule must be tried on every text.
    let gate: LiteralGate?
    private let engine: RegexEngine
    private let split: Pattern?
    private let cover: Pattern?
    /// The file's own, then the record type's.
    private let checks: [Expression]
    var counts = ParserCounts()
    /// Which of its rule set's texts it reads.
    var textSlot = 0

    init(
        head: RuleHead,
        file: String,
        version: String,
        engine: RegexEngine,
        split: Pattern?,
        cover: Pattern?,
        recordChecks: [Expression]
    ) {
        self.head = head
        self.file = file
        self.version = version
        self.engine = engine
        self.split = split
        self.cover = cover
        checks = head.checks + recordChecks
        gate = head.gate ?? engine.requiredLiterals.map { LiteralGate($0) }
    }

    /// Every pattern with the name of its step.
    var patterns: [(step: String, pattern: Pattern)] {
        engine.patterns + (split.map { [("split", $0)] } ?? []) + (cover.map { [("cover", $0)] } ?? [])
    }

    /// Runs the rule on a text that its channels and gate have admitted.
    func parse(_ text: [UInt8]) -> Verdict {
        text.withUnsafeBufferPointer { parse($0) }
    }

    private func parse(_ text: UnsafeBufferPointer<UInt8>) -> Verdict {
        guard let split else { return parse(pieces: [text]) }
        var pieces: [UnsafeBufferPointer<UInt8>] = []
        var start = 0
        let outcome = split.forEachMatch(in: text) { range in
            if range.upperBound > start, range.lowerBound >= start, range.lowerBound < text.count {
                pieces.append(UnsafeBufferPointer(rebasing: text[start..<range.lowerBound]))
                start = range.upperBound
            }
            return true
        }
        guard outcome == .noMatch else { return .abandoned(step: "split") }
        pieces.append(UnsafeBufferPointer(rebasing: text[start...]))
        return parse(pieces: pieces.filter { !$0.trimmed.isEmpty })
    }

    /// A piece that lacks a required field is no record. One that fails a later step fails the whole message: half a
    /// message is never written.
    private func parse(pieces: [UnsafeBufferPointer<UInt8>]) -> Verdict {
        var drafts: [RecordDraft] = []
        var leftovers: [UnsafeBufferPointer<UInt8>] = []
        for piece in pieces {
            switch engine.extract(piece) {
            case .absent: leftovers.append(piece)
            case .failed(let failure): return .failed(failure)
            case .abandoned(let step): return .abandoned(step: step)
            case .taken(var draft, let spans):
                if let verdict = uncovered(piece, spans) { return verdict }
                draft.fillDefaults(head.record)
                if let broken = checks.first(where: { !$0.holds(for: draft) }) {
                    return .failed(StepFailure(step: "check failed", detail: broken.source))
                }
                drafts.append(draft)
            }
        }
        guard !drafts.isEmpty else { return .notTaken }
        for piece in leftovers {
            if let verdict = uncovered(piece, []) { return verdict }
        }
        return .records(drafts)
    }

    /// The verdict when a hit of `cover` does not lie inside one of `spans`; `nil` when all do.
    private func uncovered(_ piece: UnsafeBufferPointer<UInt8>, _ spans: [Range<Int>]) -> Verdict? {
        guard let cover else { return nil }
        var missed: Range<Int>?
        let outcome = cover.forEachMatch(in: piece) { hit in
            let isInside = spans.contains { $0.lowerBound <= hit.lowerBound && hit.upperBound <= $0.upperBound }
            if !isInside && !hit.isEmpty { missed = hit }
            return missed == nil
        }
        if let missed {
            let text = String(decoding: piece[missed], as: UTF8.self)
            return .failed(StepFailure(step: "cover", detail: "nothing read '\(text.prefix(40))'"))
        }
        return outcome == .noMatch ? nil : .abandoned(step: "cover")
    }
}
