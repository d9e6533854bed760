import Model

extension SQLConnection {
    func storedMessages(
        after position: Snowflake,
        channels: [Snowflake],
        limit: Int,
        schema: StoreSchema
    ) throws -> [StoredMessage] {
        var parameters = [try SQLValue(position)]
        var filter = ""
        if !channels.isEmpty {
            parameters.append(dialect.value(try channels.map { try $0.signed }))
            filter = "AND channel_id \(dialect.isAny(of: "$2"))"
        }
        let found = try query(
            """
            SELECT id, payload, outcome, reason, revision FROM messages
            WHERE id > $1 \(filter) AND payload IS NOT NULL AND deleted_at IS NULL ORDER BY id LIMIT \(max(0, limit))
            """,
            parameters
        )
        let ids = found.rows.compactMap { $0[0].flatMap { Int64($0) } }
        guard !ids.isEmpty else { return [] }
        let records = try storedRecords(of: ids, schema: schema)
        return zip(found.rows, ids).map { row, id in
            StoredMessage(
                id: Snowflake(UInt64(id)),
                payload: Array((row[1] ?? "").utf8),
                outcome: row[2].flatMap { Outcome(rawValue: $0) },
                reason: row[3],
                revision: row[4].flatMap { Int64($0) } ?? 0,
                records: (records[id] ?? []).sorted { $0.ordinal < $1.ordinal }
            )
        }
    }

    private func storedRecords(of ids: [Int64], schema: StoreSchema) throws -> [Int64: [StoredRecord]] {
        var records: [Int64: [StoredRecord]] = [:]
        for tables in schema.records {
            let columns = TypedColumns(tables.type.fields, dialect: dialect)
            let rows = try rows(of: tables.table, "\(columns.sql)parser, source", ids)
            guard !rows.isEmpty else { continue }
            var lists: [(name: String, elements: [RecordKey: [[Record.NamedValue]]])] = []
            for list in tables.lists {
                lists.append((list.type.name, try elements(of: list.type, in: list.table, ids)))
            }
            for (key, row) in rows {
                var record = Record(type: tables.type.name, fields: columns.values(row))
                for list in lists {
                    guard let elements = list.elements[key] else { continue }
                    record.lists.append(Record.NamedList(list.name, elements))
                }
                records[key.message, default: []].append(
                    StoredRecord(
                        ordinal: key.ordinal,
                        record: record,
                        parser: row[row.endIndex - 2],
                        source: row[row.endIndex - 1].flatMap { RecordSource(rawValue: $0) }
                    )
                )
            }
        }
        return records
    }

    private func elements(
        of list: ListType,
        in table: TableLayout,
        _ ids: [Int64]
    ) throws -> [RecordKey: [[Record.NamedValue]]] {
        let columns = TypedColumns(list.fields, dialect: dialect)
        var elements: [RecordKey: [[Record.NamedValue]]] = [:]
        for (key, row) in try rows(of: table, "\(columns.sql)position", ids) {
            elements[key, default: []].append(columns.values(row))
        }
        return elements
    }

    /// Rows in the order of their primary key, without the message's id and the ordinal.
    private func rows(
        of table: TableLayout,
        _ selection: String,
        _ ids: [Int64]
    ) throws -> [(key: RecordKey, values: ArraySlice<String?>)] {
        let found = try query(
            """
            SELECT message_id, ordinal, \(selection) FROM \(quoted(table.name))
            WHERE message_id \(dialect.isAny(of: "$1")) ORDER BY \(quoted(table.primaryKey))
            """,
            [dialect.value(ids)]
        )
        return found.rows.compactMap { row in
            guard let message = row[0].flatMap({ Int64($0) }), let ordinal = row[1].flatMap({ Int($0) }) else {
                return nil
            }
            return (RecordKey(message: message, ordinal: ordinal), row[2...])
        }
    }
}

private struct RecordKey: Hashable {
    var message: Int64
    var ordinal: Int
}

/// The columns of a table's fields, and how their values read.
private struct TypedColumns {
    private let fields: [FieldType]
    private let dialect: Dialect

    init(_ fields: [FieldType], dialect: Dialect) {
        self.fields = fields
        self.dialect = dialect
    }

    /// Each with a comma after it.
    var sql: String {
        fields.map { field in
            let column = quoted(field.name)
            return (field.kind == .timestamp ? dialect.iso(column) : column) + ", "
        }.joined()
    }

    func values(_ row: ArraySlice<String?>) -> [Record.NamedValue] {
        zip(fields, row).compactMap { field, text in
            text.flatMap { FieldValue(stored: $0, kind: field.kind) }.map { Record.NamedValue(field.name, $0) }
        }
    }
}

extension FieldValue {
    /// From the text of a column; `nil` for a text that is none of this kind, which no version of ours wrote.
    fileprivate init?(stored text: String, kind: FieldType.Kind) {
        let value: FieldValue? =
            switch kind {
            case .text, .enum: .text(text)
            case .integer: Int64(text).map { .integer($0) }
            case .decimal: ExactDecimal(text).map { .decimal($0) }
            case .boolean: ["t", "1", "true"].contains(text) ? .boolean(true) : .boolean(false)
            case .timestamp: Timestamp(iso8601: text).map { .timestamp($0) }
            case .json: .json(text)
            }
        guard let value else { return nil }
        self = value
    }
}
