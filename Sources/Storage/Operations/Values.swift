import Model

extension SQLValue {
    /// - Throws: `badData` for an id past 2⁶³−1, which Discord does not make and no column holds.
    init(_ id: Snowflake) throws {
        self = .integer(try id.signed)
    }

    init(_ id: Snowflake?) throws {
        self = try id.map { try SQLValue($0) } ?? .null
    }

    init(_ text: String) {
        self = .text(text.storable)
    }

    init(_ text: String?) {
        self = text.map { SQLValue($0) } ?? .null
    }

    init(_ instant: Timestamp?) {
        self = instant.map { .text($0.fixedWidth) } ?? .null
    }

    /// In seconds.
    init(_ duration: Duration) {
        let parts = duration.components
        self = .real(Double(parts.seconds) + Double(parts.attoseconds) / 1e18)
    }
}

extension Snowflake {
    /// As the databases hold ids.
    ///
    /// - Throws: `badData` for an id past 2⁶³−1.
    var signed: Int64 {
        get throws {
            guard let value = Int64(exactly: rawValue) else {
                throw StoreError(.badData, "id \(rawValue) does not fit into 63 bits")
            }
            return value
        }
    }
}

extension String {
    /// The text as a column takes it: Postgres refuses U+0000, and a message must not be lost for it, so U+FFFD
    /// stands in. The payload keeps the original.
    var storable: String {
        guard utf8.contains(0) else { return self }
        return String(map { $0 == "\0" ? "\u{FFFD}" : $0 })
    }
}

extension Timestamp {
    /// ISO 8601 in UTC, always with six digits of fraction, so that as text earlier times sort before later ones.
    var fixedWidth: String {
        let text = iso8601
        return text.utf8.count > 20 ? text : text.dropLast() + ".000000Z"
    }
}
