internal import Model

/// One rule file, ready to run.
final class RuleParser {
    let head: RuleHead
    /// The file's name as diagnostics show it.
    let file: String
    let version: String
    /// The file's own, or one derived from what it requires; `nil` when the rule must be tried on every text.
    let gate: LiteralGate?
    let limits: MatchLimits
    private let layout: RecordLayout
    private let extractor: Extractor
    private let split: Pattern?
    private let cover: Pattern?
    /// The file's own, then the record type's.
    private let checks: [Expression]
    /// Which of a message's texts it reads: one for each input and normalisation.
    let textSlot: Int

    init(
        head: RuleHead,
        file: String,
        version: String,
        limits: MatchLimits,
        layout: RecordLayout,
        extractor: Extractor,
        split: Pattern?,
        cover: Pattern?,
        recordChecks: [Expression]
    ) {
        self.head = head
        self.file = file
        self.version = version
        self.limits = limits
        self.layout = layout
        self.extractor = extractor
        self.split = split
        self.cover = cover
        checks = head.checks + recordChecks
        textSlot =
            RuleInput.allCases.firstIndex(of: head.input)! * Normalization.all.count
            + Normalization.all.firstIndex(of: head.normalization)!
        gate = head.gate ?? extractor.requiredLiterals.map { LiteralGate($0) }
    }

    /// Every pattern with the name of its step.
    var patterns: [(step: String, pattern: Pattern)] {
        extractor.patterns + (split.map { [("split", $0)] } ?? []) + (cover.map { [("cover", $0)] } ?? [])
    }

    /// Runs the rule on a text that its channels and gate have admitted.
    ///
    /// - Parameter embeds: gives the message's embeds; asked only by rules that read those.
    func parse(_ text: [UInt8], embeds: () -> JSONView? = { nil }, _ trace: ExtractionTrace? = nil) -> Verdict {
        text.withUnsafeBufferPointer { text in
            switch layout {
            case .text, .pairs: parse(text, trace)
            case .json(let records): parse(pieces: jsonPieces(text, records), trace)
            case .embeds(let normalizer):
                parse(
                    pieces: embeds()?.elements.map {
                        Material(text: UnsafeBufferPointer(rebasing: text[..<0]), tree: $0, normalizer: normalizer)
                    } ?? [],
                    trace
                )
            }
        }
    }

    private func parse(_ text: UnsafeBufferPointer<UInt8>, _ trace: ExtractionTrace?) -> Verdict {
        guard let split else { return parse(pieces: [material(text, 0..<text.count)], trace) }
        var pieces: [Range<Int>] = []
        var start = 0
        let outcome = split.forEachMatch(in: text) { range in
            if range.upperBound > start, range.lowerBound >= start, range.lowerBound < text.count {
                pieces.append(start..<range.lowerBound)
                start = range.upperBound
            }
            return true
        }
        guard outcome == .noMatch else { return .abandoned(step: "split") }
        pieces.append(start..<text.count)
        return parse(pieces: pieces.filter { !text[$0].trimmed.isEmpty }.map { material(text, $0) }, trace)
    }

    private func material(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Material {
        let piece = UnsafeBufferPointer(rebasing: text[range])
        var material = Material(text: piece, offset: range.lowerBound)
        if case .pairs = layout { material.pairs = TextPair.read(piece) }
        return material
    }

    private func jsonPieces(_ text: UnsafeBufferPointer<UInt8>, _ records: ValuePath?) -> [Material] {
        guard let block = CodeBlock.json(in: text), let document = try? JSONDocument(Array(text[block])) else {
            return []
        }
        let roots = records?.values(in: document.root) ?? [document.root]
        return roots.map {
            Material(text: UnsafeBufferPointer(rebasing: text[..<0]), offset: block.lowerBound, tree: $0)
        }
    }

    /// A piece that lacks a required field is no record. One that fails a later step fails the whole message: half a
    /// message is never written.
    private func parse(pieces: [Material], _ trace: ExtractionTrace?) -> Verdict {
        var drafts: [RecordDraft] = []
        var leftovers: [UnsafeBufferPointer<UInt8>] = []
        var missing = Missing.material
        for piece in pieces {
            switch extractor.extract(piece, trace) {
            case .absent(let what):
                leftovers.append(piece.text)
                missing = what
            case .failed(let failure): return .failed(failure)
            case .abandoned(let step): return .abandoned(step: step)
            case .taken(var draft, let spans):
                if let verdict = uncovered(piece.text, spans) { return verdict }
                draft.fillDefaults(head.record)
                if let broken = checks.first(where: { !$0.holds(for: draft) }) {
                    return .failed(StepFailure(step: "check failed", detail: broken.source))
                }
                drafts.append(draft)
            }
        }
        guard !drafts.isEmpty else { return .notTaken(missing) }
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

/// How the text of a message is laid out for an engine.
enum RecordLayout {
    /// As it stands: patterns and templates.
    case text
    /// As lines of keys and values.
    case pairs
    /// As JSON, with the path to its records; without one the whole is a record.
    case json(records: ValuePath?)
    /// As embeds, each of them a record, their texts normalised.
    case embeds(Normalizer)
}
