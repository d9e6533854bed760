import Model

extension Dialect {
    /// A time as ISO 8601 text, whichever database holds it.
    func iso(_ expression: String) -> String {
        switch self {
        case .postgres: "to_char(\(expression) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        case .sqlite: expression
        }
    }

    /// Whether an integer is among those in a parameter.
    func isAny(of parameter: String) -> String {
        switch self {
        case .postgres: "= ANY (\(parameter)::bigint[])"
        case .sqlite: "IN (SELECT value FROM json_each(\(parameter)))"
        }
    }

    /// Texts as one parameter, which ``elements(of:)`` takes apart.
    func value(_ texts: [String]) -> SQLValue {
        var writer = JSONWriter()
        writer.array { writer in
            for text in texts { writer.value(text.storable) }
        }
        return .text(writer.text)
    }

    /// A selection of the texts in a parameter, for `IN`.
    func elements(of parameter: String) -> String {
        switch self {
        case .postgres: "SELECT json_array_elements_text(\(parameter)::json)"
        case .sqlite: "SELECT value FROM json_each(\(parameter))"
        }
    }
}

extension TextTable {
    /// A row whose values are found by the names of their columns.
    struct NamedRow {
        fileprivate let places: [String: Int]
        fileprivate let values: [String?]

        subscript(column: String) -> String? { places[column].flatMap { values[$0] } }
        func integer(_ column: String) -> Int? { self[column].flatMap { Int($0) } }
        func instant(_ column: String) -> Timestamp? { self[column].flatMap { Timestamp(iso8601: $0) } }
        /// Of a column that is never null.
        func time(_ column: String) -> Timestamp { instant(column) ?? Timestamp(microseconds: 0) }

        /// From an array as either database writes it: `{1,2}` or `[1,2]`.
        func ids(_ column: String) -> [Snowflake] {
            (self[column] ?? "").split { !$0.isNumber }.compactMap { Snowflake($0) }
        }

        /// From a JSON array.
        func instants(_ column: String) -> [Timestamp] {
            guard let array = self[column].flatMap({ try? JSONDocument($0) }) else { return [] }
            return array.root.elements.compactMap { $0.string.flatMap { Timestamp(iso8601: $0) } }
        }

        /// From hexadecimal digits after `\x`.
        func bytes(_ column: String) -> [UInt8] {
            func digit(_ byte: UInt8) -> UInt8 { byte < 0x3A ? byte - 0x30 : byte - 0x61 + 10 }
            let digits = Array((self[column] ?? "").utf8.dropFirst(2))
            return stride(from: 0, to: digits.count - 1, by: 2).map { digit(digits[$0]) << 4 | digit(digits[$0 + 1]) }
        }
    }

    var namedRows: [NamedRow] {
        let places = Dictionary(columns.enumerated().map { ($1, $0) }) { first, _ in first }
        return rows.map { NamedRow(places: places, values: $0) }
    }
}
