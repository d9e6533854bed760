package import Model

/// What the rules made of one labelled message.
package struct ScoredLine: Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// All records as labelled; none where none is expected.
        case right
        /// Records that are not those of the label.
        case wrong
        /// None where there should be some.
        case missed
    }

    package var line: TruthLine
    package var state: State
    package var isExpected: Bool
    package var parsed: ParsedMessage
    /// The label and what the rules made, a line for every value that counts.
    package var expected: [String]
    package var got: [String]
}

/// Compares what rules make of messages with the labels of a truth file.
///
/// Compared is as examples of rule files are: a value that was read from the text must be labelled, constants and
/// defaults need not be. A field or list that no line labels does not count. Where a line expects no record, those of a type
/// that no line labels do not count either: a file of trading signals says nothing of other feeds.
package struct Scorer {
    private let rules: RuleSet
    private let labelled: [String: LabelledParts]
    private let ignored: Set<String>

    package init(rules: RuleSet, lines: [TruthLine], ignoring ignored: Set<String> = []) {
        self.rules = rules
        self.ignored = ignored
        labelled = lines.flatMap(\.records).reduce(into: [:]) { parts, record in
            parts[record.type.name, default: LabelledParts(type: record.type)].add(record)
        }
    }

    /// The fields and lists that no line labels, of the record types that are labelled.
    package var unlabelled: [String] {
        labelled.sorted { $0.key < $1.key }.flatMap { _, parts in
            let fields = parts.type.fields.indices.filter { !parts.fields.contains($0) }.map {
                parts.type.fields[$0].name
            }
            let lists = parts.type.lists.indices.filter { !parts.lists.contains($0) }.map { parts.type.lists[$0].name }
            return (fields + lists).filter { !ignored.contains($0) }
        }
    }

    package func score(_ line: TruthLine) -> ScoredLine {
        let decision = rules.decide(line.message)
        var drafts: [RecordDraft] = []
        var type: RecordType?
        if case .taken(let parser, let taken) = decision, counts(parser.head.record, on: line) {
            (type, drafts) = (parser.head.record, taken)
        }
        var expected: [String] = []
        var got: [String] = []
        for (number, record) in line.records.enumerated() {
            expected += outline(of: record.type).lines(record, number: number + 1)
        }
        for (number, draft) in drafts.enumerated() {
            guard let type else { break }
            let beside = number < line.records.count ? line.records[number] : nil
            got += outline(of: type).lines(
                draft,
                number: number + 1,
                beside: beside?.type.name == type.name ? beside : nil
            )
        }
        let state: ScoredLine.State =
            drafts.isEmpty ? (line.records.isEmpty ? .right : .missed) : expected == got ? .right : .wrong
        return ScoredLine(
            line: line,
            state: state,
            isExpected: !line.records.isEmpty,
            parsed: decision.parsed(line.message),
            expected: expected.isEmpty ? ["none"] : expected,
            got: got.isEmpty ? ["none: \(Self.told(decision))"] : got
        )
    }

    private func counts(_ type: RecordType, on line: TruthLine) -> Bool {
        !line.records.isEmpty || labelled.isEmpty || labelled[type.name] != nil
    }

    private static func told(_ decision: RuleSet.Decision) -> String {
        if case .failed(let parser, let failure) = decision { return "\(parser.head.id): \(failure)" }
        if case .taken(let parser, _) = decision {
            return "\(parser.head.id): '\(parser.head.record.name)' is not labelled"
        }
        return "no rule took it"
    }

    private func outline(of type: RecordType) -> TruthOutline {
        TruthOutline(type: type, parts: labelled[type.name], ignored: ignored)
    }
}

/// The fields and lists of one record type that some line labels.
struct LabelledParts {
    let type: RecordType
    var fields: Set<Int> = []
    var lists: Set<Int> = []
    /// The lists that are labelled in their short form.
    var groups: Set<ListGroup> = []

    init(type: RecordType) {
        self.type = type
    }

    mutating func add(_ record: TruthRecord) {
        fields.formUnion(record.fields.keys)
        lists.formUnion(record.lists.keys)
        lists.formUnion(record.groups.keys.map(\.list))
        groups.formUnion(record.groups.keys)
    }
}
