/// A record type as `pipeline.yaml` declares it under `records:`. One table each, and one more for each list.
package struct RecordType: Sendable, Codable, Equatable {
    package var name: String
    /// In the order of the file, which is the order of the columns.
    package var fields: [FieldType]
    package var lists: [ListType]
    /// Expressions that every record must satisfy, as written (RULES.md, "Expressions").
    package var checks: [String]

    package init(name: String, fields: [FieldType], lists: [ListType] = [], checks: [String] = []) {
        self.name = name
        self.fields = fields
        self.lists = lists
        self.checks = checks
    }

    package func field(named name: String) -> FieldType? { fields.first { $0.name == name } }
    package func list(named name: String) -> ListType? { lists.first { $0.name == name } }
}

/// A list of a record: each element is a map of fields, stored as a row of `<record>_<list>`.
package struct ListType: Sendable, Codable, Equatable {
    package var name: String
    package var fields: [FieldType]

    package init(name: String, fields: [FieldType]) {
        self.name = name
        self.fields = fields
    }

    package func field(named name: String) -> FieldType? { fields.first { $0.name == name } }
}

/// One typed field.
package struct FieldType: Sendable, Codable, Equatable {
    package enum Kind: String, Sendable, Codable, CaseIterable {
        case text, integer, decimal, boolean, timestamp, `enum`, json
    }

    package var name: String
    package var kind: Kind
    package var required: Bool
    /// The allowed values of an enum, as written; empty for other kinds. They compare without case.
    package var values: [String]
    /// What a record gets when its rule took nothing; as written in YAML, already checked against the kind.
    package var defaultValue: FieldValue?

    package init(
        name: String,
        kind: Kind,
        required: Bool = false,
        values: [String] = [],
        defaultValue: FieldValue? = nil
    ) {
        self.name = name
        self.kind = kind
        self.required = required
        self.values = values
        self.defaultValue = defaultValue
    }
}

/// A typed value of a record's field. An absent field has no value; there is no null.
package enum FieldValue: Sendable, Equatable, Hashable {
    /// For fields of kind `text` and `enum`.
    case text(String)
    case integer(Int64)
    case decimal(ExactDecimal)
    case boolean(Bool)
    case timestamp(Timestamp)
    /// A JSON text, compact.
    case json(String)

    /// As JSON: numbers with all their digits, times as ISO 8601 in UTC, JSON as itself.
    package func write(to writer: inout JSONWriter) {
        switch self {
        case .text(let value): writer.value(value)
        case .integer(let value): writer.value(value)
        case .decimal(let value): writer.raw(value.description.utf8)
        case .boolean(let value): writer.value(value)
        case .timestamp(let value): writer.value(value.iso8601)
        case .json(let value): writer.raw(value.utf8)
        }
    }

    /// Reads what ``write(to:)`` wrote for a field of `kind`; `nil` when the JSON value does not suit the kind.
    package init?(_ json: JSONView, kind: FieldType.Kind) {
        switch kind {
        case .text, .enum:
            guard let value = json.string else { return nil }
            self = .text(value)
        case .integer:
            guard let value = json.integer else { return nil }
            self = .integer(value)
        case .decimal:
            guard let value = json.numberLiteral.flatMap({ ExactDecimal($0) }) else { return nil }
            self = .decimal(value)
        case .boolean:
            guard let value = json.boolean else { return nil }
            self = .boolean(value)
        case .timestamp:
            guard let value = json.string.flatMap({ Timestamp(iso8601: $0) }) else { return nil }
            self = .timestamp(value)
        case .json: self = .json(String(decoding: json.raw, as: UTF8.self))
        }
    }
}

/// In a generation's files a value is kept as its kind and its text.
extension FieldValue: Codable {
    private enum Key: String, CodingKey { case kind, text }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let kind = try container.decode(FieldType.Kind.self, forKey: .kind)
        let text = try container.decode(String.self, forKey: .text)
        let value: FieldValue? =
            switch kind {
            case .text, .enum: .text(text)
            case .integer: Int64(text).map { .integer($0) }
            case .decimal: ExactDecimal(text).map { .decimal($0) }
            case .boolean: Bool(text).map { .boolean($0) }
            case .timestamp: Timestamp(iso8601: text).map { .timestamp($0) }
            case .json: .json(text)
            }
        guard let value else {
            throw DecodingError.dataCorruptedError(
                forKey: .text,
                in: container,
                debugDescription: "'\(text)' is not of type \(kind.rawValue)"
            )
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        let (kind, text): (FieldType.Kind, String) =
            switch self {
            case .text(let value): (.text, value)
            case .integer(let value): (.integer, value.description)
            case .decimal(let value): (.decimal, value.description)
            case .boolean(let value): (.boolean, value.description)
            case .timestamp(let value): (.timestamp, value.iso8601)
            case .json(let value): (.json, value)
            }
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(kind, forKey: .kind)
        try container.encode(text, forKey: .text)
    }
}
