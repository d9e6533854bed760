internal import Model

/// Reads fields and lists from a text by patterns.
final class RegexEngine {
    struct FieldRule {
        /// Place in the record type.
        var index: Int
        var name: String
        var isRequired: Bool
        /// Tried in turn; the first that gives a value wins.
        var sources: [FieldSource]
    }

    enum FieldSource {
        case pattern(Pattern, groups: [Int], ValueReader)
        case constant(FieldValue)
    }

    struct ListRule {
        var index: Int
        var name: String
        var type: ListType
        var entries: [ListEntry]
    }

    struct ListEntry {
        var pattern: Pattern
        var captures: [Capture]
        /// Values every element of this entry starts with, by the field's place.
        var constants: [FieldValue?]
    }

    struct Capture {
        var field: Int
        var groups: [Int]
        var reader: ValueReader
    }

    enum Extraction {
        case absent
        case failed(StepFailure)
        case abandoned(step: String)
        /// A draft without defaults, and the ranges that patterns matched.
        case taken(RecordDraft, spans: [Range<Int>])
    }

    /// The most elements one list may have: more is no message a person wrote.
    private static let longestList = 1000

    private let type: RecordType
    private let required: [FieldRule]
    private let others: [FieldRule]
    private let lists: [ListRule]

    init(type: RecordType, fields: [FieldRule], lists: [ListRule]) {
        self.type = type
        required = fields.filter(\.isRequired)
        others = fields.filter { !$0.isRequired }
        self.lists = lists
    }

    /// Every pattern with the name of its step.
    var patterns: [(step: String, pattern: Pattern)] {
        let ofFields = (required + others).flatMap { rule in
            rule.sources.compactMap { source in
                if case .pattern(let pattern, _, _) = source { (rule.name, pattern) } else { nil }
            }
        }
        return ofFields + lists.flatMap { rule in rule.entries.map { (rule.name, $0.pattern) } }
    }

    /// Literals of which one must occur in every text this engine takes; `nil` when none is certain. A text without
    /// them lacks a required field.
    var requiredLiterals: [String]? {
        RequiredLiterals.best(of: required.compactMap(Self.requiredLiterals))
    }

    private static func requiredLiterals(_ rule: FieldRule) -> [String]? {
        var literals: [String] = []
        for source in rule.sources {
            guard case .pattern(let pattern, _, _) = source, let more = RequiredLiterals.of(pattern.source) else {
                return nil
            }
            literals += more
        }
        return literals.isEmpty || literals.count > RequiredLiterals.mostAlternatives ? nil : literals
    }

    func extract(_ text: UnsafeBufferPointer<UInt8>) -> Extraction {
        var draft = RecordDraft(type)
        var spans: [Range<Int>] = []
        var failure: StepFailure?
        // All required fields must be there before any failure counts: until then the text may be someone else's.
        for rule in required {
            switch read(rule, text, &draft, &spans) {
            case .done: break
            case .absent: return .absent
            case .failed(let step): failure = failure ?? step
            case .abandoned: return .abandoned(step: rule.name)
            }
        }
        if let failure { return .failed(failure) }
        for rule in others {
            switch read(rule, text, &draft, &spans) {
            case .done, .absent: break
            case .failed(let step): return .failed(step)
            case .abandoned: return .abandoned(step: rule.name)
            }
        }
        for rule in lists {
            switch read(rule, text, &draft, &spans) {
            case .done, .absent: break
            case .failed(let step): return .failed(step)
            case .abandoned: return .abandoned(step: rule.name)
            }
        }
        return .taken(draft, spans: spans)
    }

    private enum Step {
        case done
        case absent
        case failed(StepFailure)
        case abandoned
    }

    /// The first source with a value decides. When that value does not convert, no later pattern is asked: it would
    /// read something else than what the rule's author put first.
    private func read(
        _ rule: FieldRule,
        _ text: UnsafeBufferPointer<UInt8>,
        _ draft: inout RecordDraft,
        _ spans: inout [Range<Int>]
    ) -> Step {
        for source in rule.sources {
            switch source {
            case .constant(let value):
                draft.fields[rule.index] = value
                return .done
            case .pattern(let pattern, let groups, let reader):
                switch pattern.match(text) {
                case .noMatch: continue
                case .limitHit, .broken: return .abandoned
                case .matched: break
                }
                guard let range = pattern.range(of: groups) else { continue }
                do {
                    guard let value = try reader.read(text, at: range) else { continue }
                    draft.fields[rule.index] = value
                    draft.isRead[rule.index] = true
                    spans.append(pattern.matchedRange)
                    return .done
                } catch {
                    return .failed(StepFailure(step: rule.name, detail: error.description))
                }
            }
        }
        return .absent
    }

    /// An element, and where its captures stand.
    private struct Found {
        var entry: Int
        var captured: Range<Int>
        var element: RecordDraft.Element
    }

    private func read(
        _ rule: ListRule,
        _ text: UnsafeBufferPointer<UInt8>,
        _ draft: inout RecordDraft,
        _ spans: inout [Range<Int>]
    ) -> Step {
        var found: [Found] = []
        var failure: StepFailure?
        for (index, entry) in rule.entries.enumerated() {
            let outcome = entry.pattern.forEachMatch(in: text) { range in
                do throws(StepFailure) {
                    if let element = try element(entry, number: index, rule, text, besides: found) {
                        found.append(element)
                        spans.append(range)
                    }
                    if found.count > Self.longestList {
                        throw StepFailure(step: rule.name, detail: "more than \(Self.longestList) elements")
                    }
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
            if let failure { return .failed(failure) }
            guard outcome == .noMatch else { return .abandoned }
        }
        guard !found.isEmpty else { return .absent }
        if rule.entries.count > 1 { found.sort { $0.captured.lowerBound < $1.captured.lowerBound } }
        draft.lists[rule.index] = found.map(\.element)
        return .done
    }

    /// The element of the last match; `nil` when an earlier entry has already read the same part of the text.
    private func element(
        _ entry: ListEntry,
        number: Int,
        _ rule: ListRule,
        _ text: UnsafeBufferPointer<UInt8>,
        besides found: [Found]
    ) throws(StepFailure) -> Found? {
        var element = RecordDraft.Element(
            fields: entry.constants,
            isRead: Array(repeating: false, count: entry.constants.count)
        )
        var captured: Range<Int>?
        for capture in entry.captures {
            guard let range = entry.pattern.range(of: capture.groups) else { continue }
            captured =
                captured.map { min($0.lowerBound, range.lowerBound)..<max($0.upperBound, range.upperBound) } ?? range
            do {
                guard let value = try capture.reader.read(text, at: range) else { continue }
                element.fields[capture.field] = value
                element.isRead[capture.field] = true
            } catch {
                let step = "\(rule.name).\(rule.type.fields[capture.field].name)"
                throw StepFailure(step: step, detail: error.description)
            }
        }
        let place = captured ?? entry.pattern.matchedRange
        if found.contains(where: { $0.entry != number && $0.captured.overlaps(place) }) { return nil }
        for (index, field) in rule.type.fields.enumerated()
        where field.required && field.defaultValue == nil && element.fields[index] == nil {
            throw StepFailure(step: "\(rule.name).\(field.name)", detail: "a match gave no value for it")
        }
        return Found(entry: number, captured: place, element: element)
    }
}
