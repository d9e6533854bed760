/// What Postgres and SQLite spell differently.
enum Dialect {
    case postgres, sqlite

    /// A column's type as the database itself prints it, so that it can be compared with what is there.
    ///
    /// SQLite's names carry the kind only for that comparison: all that end in `_TEXT` have text affinity, which
    /// keeps a decimal's digits and a time's ISO 8601 form as they are.
    func typeName(_ type: ColumnType) -> String {
        switch (self, type) {
        case (_, .text): self == .postgres ? "text" : "TEXT"
        case (.postgres, .integer): "bigint"
        case (.postgres, .decimal): "numeric"
        case (.postgres, .boolean): "boolean"
        case (.postgres, .timestamp): "timestamp with time zone"
        case (.postgres, .json): "json"
        case (.postgres, .bytes): "bytea"
        case (.postgres, .integers): "bigint[]"
        case (.postgres, .timestamps): "timestamp with time zone[]"
        case (.sqlite, .integer): "INTEGER"
        case (.sqlite, .decimal): "DECIMAL_TEXT"
        case (.sqlite, .boolean): "BOOLEAN"
        case (.sqlite, .timestamp): "TIMESTAMP_TEXT"
        case (.sqlite, .json), (.sqlite, .integers), (.sqlite, .timestamps): "JSON_TEXT"
        case (.sqlite, .bytes): "BLOB"
        }
    }

    /// The present by the database's clock.
    var now: String {
        switch self {
        case .postgres: "clock_timestamp()"
        case .sqlite: "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"
        }
    }

    /// So many seconds from now, by the database's clock.
    ///
    /// - Parameter seconds: the parameter that holds the number, such as `$3`.
    func later(bySeconds seconds: String) -> String {
        switch self {
        case .postgres: "clock_timestamp() + \(seconds) * interval '1 second'"
        case .sqlite: "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', \(seconds) || ' seconds')"
        }
    }

    /// A value as a parameter of this database.
    func value(_ integers: [Int64]) -> SQLValue {
        let list = integers.map(String.init).joined(separator: ",")
        return .text(self == .postgres ? "{\(list)}" : "[\(list)]")
    }
}

/// An identifier as SQL text.
func quoted(_ identifier: String) -> String {
    "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
}

func quoted(_ identifiers: [String]) -> String {
    identifiers.map { quoted($0) }.joined(separator: ", ")
}
