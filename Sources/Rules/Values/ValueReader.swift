package import Model

/// Turns captured text into the typed value of one field, exactly or not at all.
package struct ValueReader: Sendable {
    package let kind: FieldType.Kind
    private let numbers: NumberReader
    /// The values of an enum as declared.
    private let values: [String]
    private let spellings: [String: String]
    /// What `map:` makes of a text, already typed; the keys are small letters.
    private(set) var mapping: [String: FieldValue]
    private var edit = CaptureEdit()

    /// Why a text gave no value.
    package struct Problem: Error, Equatable, CustomStringConvertible {
        package var description: String
    }

    package init(field: FieldType, numbers: NumberReader = NumberReader()) {
        kind = field.kind
        self.numbers = numbers
        values = field.values
        spellings = field.values.reduce(into: [:]) { $0[$1.lowercased()] = $1 }
        mapping = [:]
    }

    /// The same reader with a `map:`, whose keys compare without case.
    func with(mapping: [String: FieldValue]) -> ValueReader {
        var copy = self
        copy.mapping = mapping.reduce(into: [:]) { $0[$1.key.lowercased()] = $1.value }
        return copy
    }

    /// The same reader with `remove:` and `case:`.
    func with(edit: CaptureEdit) -> ValueReader {
        var copy = self
        copy.edit = edit
        return copy
    }

    /// Reads what was captured at `range` of a text, which is valid UTF-8; white space around it does not count. `nil`
    /// when there is nothing else: an empty capture is an absent value.
    ///
    /// - Throws: ``Problem`` when the capture is not of the field's kind, can be read in two ways, or is a number cut
    ///   out of a longer one.
    func read(_ text: UnsafeBufferPointer<UInt8>, at range: Range<Int>) throws(Problem) -> FieldValue? {
        let trimmed = text[range].trimmed
        guard !trimmed.isEmpty else { return nil }
        let captured = UnsafeBufferPointer(rebasing: trimmed)
        if edit.isNothing, !mapping.isEmpty,
            let mapped = mapping[String(decoding: captured, as: UTF8.self).lowercased()]
        {
            return mapped
        }
        if kind == .decimal || kind == .integer {
            let place = trimmed.startIndex..<trimmed.endIndex
            if let longer = NumberSurroundings.longerNumber(around: place, in: text) {
                throw Problem(description: "'\(String(decoding: captured, as: UTF8.self))' is cut out of '\(longer)'")
            }
        }
        if !edit.isNothing {
            guard let edited = edit.apply(to: String(decoding: captured, as: UTF8.self)) else { return nil }
            return try read(edited)
        }
        if kind == .decimal, let value = numbers.read(captured) { return .decimal(value) }
        return try convert(String(decoding: captured, as: UTF8.self))
    }

    /// Reads a text that is already trimmed, edited and not empty.
    package func read(_ text: String) throws(Problem) -> FieldValue {
        if !mapping.isEmpty, let mapped = mapping[text.lowercased()] { return mapped }
        return try convert(text)
    }

    /// Reads a text that is nothing but a value, as ``read(_:at:)`` reads a capture.
    func readWhole(_ text: String) throws(Problem) -> FieldValue? {
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBufferPointer { buffer -> Result<FieldValue?, Problem> in
            Result { () throws(Problem) in try read(buffer, at: 0..<buffer.count) }
        }
        return try result.get()
    }

    /// The words that stand for a value: those of `map:`, and an enum's own unless `map:` gives them another meaning.
    var words: [String: FieldValue] {
        mapping.merging(spellings.mapValues { .text($0) }) { mapped, _ in mapped }
    }

    private func convert(_ text: String) throws(Problem) -> FieldValue {
        let value: FieldValue? =
            switch kind {
            case .text: .text(text)
            case .enum: spellings[text.lowercased()].map { .text($0) }
            case .integer: numbers.read(text)?.integer.map { .integer($0) }
            case .decimal: numbers.read(text).map { .decimal($0) }
            case .boolean: Self.booleans[text.lowercased()].map { .boolean($0) }
            case .timestamp: TimestampReader.read(text).map { .timestamp($0) }
            case .json: JSONCompactor.compact(text).map { .json($0) }
            }
        guard let value else { throw problem(text) }
        return value
    }

    private func problem(_ text: String) -> Problem {
        let shown = text.count > 60 ? text.prefix(57) + "…" : text[...]
        let expected =
            switch kind {
            case .enum: "one of \(values.joined(separator: ", "))"
            case .decimal: "a number that reads only one way"
            case .integer: "a whole number that reads only one way"
            case .boolean: "one of true, false, yes, no"
            case .timestamp: "an ISO 8601 time or a Discord timestamp"
            case .json: "a JSON array or object"
            case .text: "text"
            }
        return Problem(description: "'\(shown)' is not \(expected)")
    }

    private static let booleans = ["true": true, "yes": true, "false": false, "no": false]
}

/// Takes the white space between the tokens out of a JSON text.
enum JSONCompactor {
    /// `nil` when `text` is not a JSON array or object.
    static func compact(_ text: String) -> String? {
        guard (try? JSONDocument(text)) != nil else { return nil }
        var output: [UInt8] = []
        var inString = false
        var isEscaped = false
        for byte in text.utf8 {
            if inString {
                inString = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            } else if byte.isASCIISpace {
                continue
            } else if byte == UInt8(ascii: "\"") {
                inString = true
            }
            output.append(byte)
        }
        return String(decoding: output, as: UTF8.self)
    }
}
