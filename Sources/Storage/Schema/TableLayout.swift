import Model

/// The kinds of column that Chaffinch's tables have.
enum ColumnType: Sendable, Equatable {
    case text, integer, decimal, boolean, timestamp, json, bytes
    /// Several integers or times in one column: an array on Postgres, a JSON array on SQLite.
    case integers, timestamps

    init(_ kind: FieldType.Kind) {
        self =
            switch kind {
            case .text, .enum: .text
            case .integer: .integer
            case .decimal: .decimal
            case .boolean: .boolean
            case .timestamp: .timestamp
            // Not Postgres' jsonb, which refuses \u0000 and forgets how a number was written.
            case .json: .json
            }
    }
}

struct ColumnLayout: Sendable, Equatable {
    var name: String
    var type: ColumnType
    var isRequired: Bool

    init(_ name: String, _ type: ColumnType, required: Bool = false) {
        self.name = name
        self.type = type
        self.isRequired = required
    }
}

struct IndexLayout: Sendable, Equatable {
    var name: String
    var columns: [String]
}

/// A table as it should be, on either database.
struct TableLayout: Sendable, Equatable {
    var name: String
    var columns: [ColumnLayout]
    var primaryKey: [String]
    var indexes: [IndexLayout] = []
}

extension TableLayout {
    /// Only ids and the revision are required: a tombstone is a row with nothing else in it.
    static let messages = TableLayout(
        name: "messages",
        columns: [
            ColumnLayout("id", .integer, required: true),
            ColumnLayout("channel_id", .integer, required: true),
            ColumnLayout("guild_id", .integer),
            ColumnLayout("author_id", .integer),
            ColumnLayout("author", .text),
            ColumnLayout("content", .text),
            ColumnLayout("type", .integer),
            ColumnLayout("sent_at", .timestamp),
            ColumnLayout("edited_at", .timestamp),
            ColumnLayout("deleted_at", .timestamp),
            ColumnLayout("pinned", .boolean),
            ColumnLayout("mention_everyone", .boolean),
            ColumnLayout("outcome", .text),
            ColumnLayout("reason", .text),
            ColumnLayout("revision", .integer, required: true),
            ColumnLayout("payload", .json),
        ],
        primaryKey: ["id"],
        indexes: [IndexLayout(name: "messages_channel_id_sent_at", columns: ["channel_id", "sent_at"])]
    )

    static let fetchCursors = TableLayout(
        name: "fetch_cursors",
        columns: [
            ColumnLayout("channel_id", .integer, required: true),
            ColumnLayout("contiguous_id", .integer, required: true),
            ColumnLayout("backfill_until", .integer),
            ColumnLayout("holder", .text),
            ColumnLayout("epoch", .integer, required: true),
            ColumnLayout("expires_at", .timestamp),
        ],
        primaryKey: ["channel_id"]
    )

    static let deadLetters = TableLayout(
        name: "dead_letters",
        columns: [
            ColumnLayout("id", .text, required: true),
            ColumnLayout("stage", .text, required: true),
            ColumnLayout("message_ids", .integers, required: true),
            ColumnLayout("error_class", .text, required: true),
            ColumnLayout("error_code", .text),
            ColumnLayout("error_text", .text, required: true),
            ColumnLayout("attempts", .integer, required: true),
            ColumnLayout("attempt_times", .timestamps, required: true),
            ColumnLayout("first_at", .timestamp, required: true),
            ColumnLayout("last_at", .timestamp, required: true),
            ColumnLayout("worker", .text, required: true),
            ColumnLayout("version", .text, required: true),
            ColumnLayout("generation", .integer),
            ColumnLayout("fingerprint", .text, required: true),
            ColumnLayout("payload", .bytes, required: true),
            ColumnLayout("state", .text, required: true),
            ColumnLayout("wire_id", .text),
            ColumnLayout("wire_type", .text),
            ColumnLayout("pipeline", .text),
            ColumnLayout("replay", .text),
            ColumnLayout("replayed_by", .text),
            ColumnLayout("settled_at", .timestamp),
            ColumnLayout("reason", .text),
        ],
        primaryKey: ["id"],
        indexes: [IndexLayout(name: "dead_letters_state_last_at", columns: ["state", "last_at"])]
    )

    /// Facts about the database itself, one a row: `pipeline` is the name of the pipeline it belongs to.
    static let chaffinchSchema = TableLayout(
        name: "chaffinch_schema",
        columns: [ColumnLayout("key", .text, required: true), ColumnLayout("value", .text, required: true)],
        primaryKey: ["key"]
    )

    static func record(_ type: RecordType) -> TableLayout {
        TableLayout(
            name: type.name,
            columns: [
                ColumnLayout("message_id", .integer, required: true), ColumnLayout("ordinal", .integer, required: true),
            ]
                + type.fields.map { ColumnLayout($0.name, ColumnType($0.kind)) }
                + [
                    ColumnLayout("parser", .text), ColumnLayout("parser_version", .text),
                    ColumnLayout("source", .text), ColumnLayout("parsed_at", .timestamp),
                ],
            primaryKey: ["message_id", "ordinal"]
        )
    }

    static func list(_ list: ListType, of record: RecordType) -> TableLayout {
        TableLayout(
            name: "\(record.name)_\(list.name)",
            columns: [
                ColumnLayout("message_id", .integer, required: true),
                ColumnLayout("ordinal", .integer, required: true),
                ColumnLayout("position", .integer, required: true),
            ] + list.fields.map { ColumnLayout($0.name, ColumnType($0.kind)) },
            primaryKey: ["message_id", "ordinal", "position"]
        )
    }
}
