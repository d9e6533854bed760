package import Model

/// Turns captured text into the typed value of one field, exactly or not at all.
package struct ValueReader: Sendable {
    package let kind: FieldType.Kind
    private let numbers: NumberReader
    /// The values of an enum as declared.
    private let values: [String]
    private let spellings: [String: String]
    /// What `map:` makes of a text, already typed; the keys are small letters.
    private let mapping: [String: FieldValue]

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

    private init(_ other: ValueReader, mapping: [String: FieldValue]) {
        kind = other.kind
        numbers = other.numbers
        values = other.values
        spellings = other.spellings
        self.mapping = mapping
    }

    /// The same reader with a `map:`, whose keys compare without case.
    func with(mapping: [String: FieldValue]) -> ValueReader {
        ValueReader(self, mapping: mapping.reduce(into: [:]) { $0[$1.key.lowercased()] = $1.value })
    }

    /// Reads captured bytes, which are valid UTF-8; white space around them does not count. `nil` when there is
    /// nothing else: an empty capture is an absent value.
    ///
    /// - Throws: ``Problem`` when the text is not of the field's kind, or can be read in two ways.
    func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(Problem) -> FieldValue? {
        let trimmed = bytes.trimmed
        guard !trimmed.isEmpty else { return nil }
        if kind == .decimal, mapping.isEmpty {
            guard let value = numbers.read(UnsafeBufferPointer(rebasing: trimmed)) else {
                throw problem(String(decoding: trimmed, as: UTF8.self))
            }
            return .decimal(value)
        }
        return try read(String(decoding: trimmed, as: UTF8.self))
    }

    /// As ``read(_:)-(UnsafeBufferPointer<UInt8>)``, for text that is already trimmed and not empty.
    package func read(_ text: String) throws(Problem) -> FieldValue {
        if !mapping.isEmpty, let mapped = mapping[text.lowercased()] { return mapped }
        return try convert(text)
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
