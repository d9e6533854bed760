internal import Model

/// Believes of an answer what the message itself says: every quote must stand in the text, alone, and read as its value
/// by the same readers as a rule's captures. What is stored is what the text says, never what the answer says.
///
/// That a value is written does not yet mean that it is written about the field. Five things narrow that down:
/// - A number stands for itself: it is no part of a time of day, a date, a ratio, an address or a mention.
/// - A number's place grounds one value of a record, so that one price cannot be the entry and a target at once.
/// - A list element's label (its enum) must be the label that governs its numbers: the nearest known label before the
///   number, or the nearest behind it where none stands before.
/// - Of several records each owns the numbers under its own words (see ``RecordOwners``), and what is not common to them
///   stands apart.
/// - The checks, afterwards.
struct Grounding {
    /// Normalised.
    private let text: [UInt8]
    private let shape: AnswerShape
    private let normalizer: Normalizer
    private let labels: LabelFinder
    private var owners = RecordOwners()
    /// The places of the record's numbers so far.
    private var taken: [Range<Int>] = []
    /// Those of each record before it.
    private var earlier: [[Range<Int>]] = []

    /// - Parameter answers: all records of the answer.
    init(text: [UInt8], normalization: Normalization, _ answers: [AnswerRecord], _ shape: AnswerShape) {
        self.text = text
        self.shape = shape
        normalizer = Normalizer(normalization)
        labels = LabelFinder(text: text)
        owners = RecordOwners(answers, shape) { field, quoted in
            places(of: quoted.quote).filter { WordEdges.standsAlone($0, in: text, field.type.kind) }
        }
    }

    /// - Throws: ``DeclineReason`` with code `ungrounded` for the first value the text does not bear out.
    mutating func ground(_ answer: AnswerRecord) throws(DeclineReason) -> RecordDraft {
        var draft = RecordDraft(shape.record)
        // Numbers under a label first: they can stand in fewer places.
        for list in shape.askedLists {
            for element in answer.lists[list.index] ?? [] {
                let grounded = try ground(element, list, of: answer)
                guard grounded.isRead.contains(true) else {
                    throw DeclineReason(.ungrounded, "an element of '\(list.type.name)' holds no value")
                }
                draft.lists[list.index].append(grounded)
            }
        }
        for field in shape.askedFields {
            guard let quoted = answer.fields[field.index] else { continue }
            draft.fields[field.index] = try ground(quoted, field, of: answer) { _ in true }
            draft.isRead[field.index] = true
        }
        let isEmpty = !draft.isRead.contains(true) && draft.lists.allSatisfy(\.isEmpty)
        if isEmpty { throw DeclineReason(.ungrounded, "a record holds no value") }
        earlier.append(taken)
        taken = []
        return draft
    }

    /// Whether the numbers of each record stand together, those aside that several share, such as one stop for two
    /// entries: else the first entry might have the second's target.
    ///
    /// - Throws: ``DeclineReason`` with code `ungrounded`.
    func checkApart() throws(DeclineReason) {
        let own = earlier.indices.map { record in
            earlier[record].filter { place in
                !earlier.indices.contains { $0 != record && earlier[$0].contains(place) }
            }
        }
        for later in own.indices {
            for first in own.indices.prefix(later) {
                let (one, other) = (own[first].map(\.lowerBound), own[later].map(\.lowerBound))
                guard let start = one.min(), let end = one.max(), let otherStart = other.min(),
                    let otherEnd = other.max(),
                    start < otherEnd, otherStart < end
                else { continue }
                throw DeclineReason(.ungrounded, "the numbers of records[\(first)] and records[\(later)] stand mixed")
            }
        }
    }

    private mutating func ground(
        _ element: [Int: QuotedValue],
        _ list: AnswerShape.AskedList,
        of answer: AnswerRecord
    ) throws(DeclineReason) -> RecordDraft.Element {
        let none = [FieldValue?](repeating: nil, count: list.type.fields.count)
        var grounded = RecordDraft.Element(fields: none, isRead: none.map { _ in false })
        var governing: [(reader: ValueReader, value: FieldValue)] = []
        for field in list.fields {
            guard let quoted = element[field.index] else { continue }
            let value = try ground(quoted, field, of: answer) { [labels] place in
                governing.allSatisfy { labels.governing(place, $0.reader) == $0.value }
            }
            grounded.fields[field.index] = value
            grounded.isRead[field.index] = true
            if field.type.kind == .enum { governing.append((field.reader, value)) }
        }
        return grounded
    }

    /// The value as the text has it.
    ///
    /// - Parameter suits: whether a number may be taken from this place.
    private mutating func ground(
        _ quoted: QuotedValue,
        _ field: AnswerShape.Asked,
        of answer: AnswerRecord,
        suits: (Range<Int>) -> Bool
    ) throws(DeclineReason) -> FieldValue {
        let shown = "'\(AnswerJudge.shown(quoted.quote))', the quote of '\(quoted.name)',"
        let places = places(of: quoted.quote)
        guard !places.isEmpty else { throw DeclineReason(.ungrounded, "\(shown) does not occur in the message") }
        let kind = field.type.kind
        let alone = places.filter { WordEdges.standsAlone($0, in: text, kind) }
            .filter { !kind.isNumber || !NumberCompany.isPartOfOther($0, in: text) }
        guard !alone.isEmpty else { throw DeclineReason(.ungrounded, "\(shown) is only a part of what is written") }
        let values = alone.map { read($0, field.reader) }
        let matching = zip(alone, values).filter { $0.1 == quoted.value }.map(\.0)
        guard !matching.isEmpty else {
            let value = RecordOutline.shown(quoted.value)
            throw DeclineReason(.ungrounded, "\(shown) does not read as \(AnswerJudge.shown(value))")
        }
        guard kind.isNumber else { return quoted.value }
        let suitable = matching.filter(suits)
        guard !suitable.isEmpty else { throw DeclineReason(.ungrounded, "\(shown) stands under another label") }
        let own = suitable.filter { owners.allow($0, to: answer) }
        guard !own.isEmpty else { throw DeclineReason(.ungrounded, "\(shown) stands with another record") }
        guard let place = own.first(where: { place in !taken.contains { $0.overlaps(place) } }) else {
            throw DeclineReason(.ungrounded, "\(shown) is already another value")
        }
        taken.append(place)
        return quoted.value
    }

    private func read(_ place: Range<Int>, _ reader: ValueReader) -> FieldValue? {
        text.withUnsafeBufferPointer { try? reader.read($0, at: place) }
    }

    /// Where a quote stands in the text: as it is, else as the text's own normalisation makes it.
    private func places(of quote: String) -> [Range<Int>] {
        let asWritten = text.places(of: Array(quote.utf8).trimmingSpaces)
        guard asWritten.isEmpty else { return asWritten }
        return text.places(of: normalizer.normalize(quote).bytes.trimmingSpaces)
    }
}

/// Finds which of an enum's words governs a place of a text.
struct LabelFinder {
    private let text: [UInt8]
    private let folded: [UInt8]?

    init(text: [UInt8]) {
        self.text = text
        let folded = NormalizedText.fold(text)
        // Places mean the same in both only while they are equally long.
        self.folded = folded.count == text.count ? folded : nil
    }

    /// The value of the nearest word before `place`, else of the nearest behind it; `nil` when there is none. Of words
    /// that end together the longest counts.
    func governing(_ place: Range<Int>, _ reader: ValueReader) -> FieldValue? {
        var before: (place: Range<Int>, value: FieldValue)?
        var behind: (place: Range<Int>, value: FieldValue)?
        for (word, value) in reader.words {
            let places = (folded ?? text).places(
                of: folded == nil ? Array(word.utf8) : NormalizedText.fold(Array(word.utf8))
            )
            for found in places where WordEdges.standsAlone(found, in: text, .enum) && !found.overlaps(place) {
                if found.upperBound <= place.lowerBound {
                    let isNearer = before.map {
                        (found.upperBound, $0.place.lowerBound) > ($0.place.upperBound, found.lowerBound)
                    }
                    if isNearer ?? true { before = (found, value) }
                } else {
                    let isNearer = behind.map {
                        (found.lowerBound, $0.place.upperBound) < ($0.place.lowerBound, found.upperBound)
                    }
                    if isNearer ?? true { behind = (found, value) }
                }
            }
        }
        return (before ?? behind)?.value
    }
}

/// Whether a piece of a text is a whole word or number, not a part of one.
enum WordEdges {
    /// A letter or digit must not touch it, a percent sign not a number. A digit may follow a label, as in `TP1`.
    static func standsAlone(_ place: Range<Int>, in text: [UInt8], _ kind: FieldType.Kind) -> Bool {
        guard let first = scalar(from: place.lowerBound, in: text),
            let last = scalar(before: place.upperBound, in: text)
        else { return false }
        let before = scalar(before: place.lowerBound, in: text)
        let behind = scalar(from: place.upperBound, in: text)
        if first.isWordPart, let before, before.isWordPart { return false }
        guard last.isWordPart, let behind else { return true }
        if kind.isNumber && behind == "%" { return false }
        return !behind.isWordPart || kind == .enum && !last.properties.isNumber && behind.properties.isNumber
    }

    private static func scalar(before end: Int, in text: [UInt8]) -> Unicode.Scalar? {
        var start = end - 1
        while start > 0, start > end - 4, text[start] & 0xC0 == 0x80 { start -= 1 }
        guard start >= 0 else { return nil }
        return String(decoding: text[start..<end], as: UTF8.self).unicodeScalars.first
    }

    private static func scalar(from start: Int, in text: [UInt8]) -> Unicode.Scalar? {
        guard start < text.count else { return nil }
        return String(decoding: text[start..<min(start + 4, text.count)], as: UTF8.self).unicodeScalars.first
    }
}

extension Unicode.Scalar.Properties {
    fileprivate var isNumber: Bool { numericType != nil }
}

extension Unicode.Scalar {
    fileprivate var isWordPart: Bool { properties.isAlphabetic || properties.isNumber || self == "_" }
}

extension FieldType.Kind {
    var isNumber: Bool { self == .decimal || self == .integer }
}

extension [UInt8] {
    fileprivate var trimmingSpaces: [UInt8] {
        withUnsafeBufferPointer { Array($0.trimmed) }
    }

    /// Every place of a piece, also where they overlap; none for an empty piece.
    func places(of piece: [UInt8]) -> [Range<Int>] {
        guard let first = piece.first, piece.count <= count else { return [] }
        var places: [Range<Int>] = []
        var start = 0
        while start + piece.count <= count {
            if self[start] == first, self[start..<(start + piece.count)].elementsEqual(piece) {
                places.append(start..<(start + piece.count))
            }
            start += 1
        }
        return places
    }
}
