internal import Model

/// Which of an answer's records a place of the text belongs to, where there are several.
///
/// `BUY GOLD 4626, SELL BTC 68000` holds every quote of "GOLD at 68000", and none of its sense. So for each required
/// word by which the records differ (`GOLD` and `BTC`, `BUY` and `SELL`), the nearest of these words before a number, or
/// behind it where none stands before, must be the record's own.
struct RecordOwners {
    /// A field by which the records differ.
    private struct Key {
        var field: Int
        /// Where each of its words stands, and the value the word has.
        var words: [(place: Range<Int>, value: FieldValue)]
    }

    private var keys: [Key] = []

    init() {}

    /// - Parameter places: where a quote stands in the text as a word of its own.
    init(
        _ answers: [AnswerRecord],
        _ shape: AnswerShape,
        places: (AnswerShape.Asked, QuotedValue) -> [Range<Int>]
    ) {
        guard answers.count > 1 else { return }
        for field in shape.askedFields where field.isRequired && !field.type.kind.isNumber {
            let quotes = answers.compactMap { $0.fields[field.index] }
            guard let first = quotes.first, quotes.contains(where: { $0.value != first.value }) else { continue }
            keys.append(
                Key(
                    field: field.index,
                    words: quotes.flatMap { quoted in places(field, quoted).map { ($0, quoted.value) } }
                )
            )
        }
    }

    /// Whether a number at this place may be a record's.
    func allow(_ place: Range<Int>, to answer: AnswerRecord) -> Bool {
        keys.allSatisfy { key in
            guard let own = answer.fields[key.field]?.value else { return false }
            return owner(of: place, key) == own
        }
    }

    private func owner(of place: Range<Int>, _ key: Key) -> FieldValue? {
        // Of words that end together the longest counts.
        let before = key.words.filter { $0.place.upperBound <= place.lowerBound }
            .max { ($0.place.upperBound, $1.place.lowerBound) < ($1.place.upperBound, $0.place.lowerBound) }
        let behind = key.words.filter { $0.place.lowerBound >= place.upperBound }
            .min { ($0.place.lowerBound, $1.place.upperBound) < ($1.place.lowerBound, $0.place.upperBound) }
        return (before ?? behind)?.value
    }
}
