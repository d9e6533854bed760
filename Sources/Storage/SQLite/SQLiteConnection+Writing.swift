import GRDB
import Model

extension SQLiteConnection {
    func write(_ batch: WriteBatch, keeping: MessageKeeping, schema: StoreSchema) throws -> WriteReport {
        var report = WriteReport(unchanged: batch.repeated)
        for parsed in batch.messages {
            guard try replaceMessage(parsed, keeping: keeping, schema: schema) else {
                report.unchanged += 1
                continue
            }
            report.written += 1
            for (ordinal, record) in parsed.records.enumerated() {
                guard let index = schema.indexOfRecord(named: record.type) else { continue }
                try insert(record, ordinal: ordinal, of: parsed, into: schema.records[index])
            }
            report.records += parsed.records.count
        }
        return report
    }

    /// Inserts the message, or updates an older version and takes away its records.
    ///
    /// - Returns: false when nothing was to be changed.
    private func replaceMessage(
        _ parsed: ParsedMessage,
        keeping: MessageKeeping,
        schema: StoreSchema
    ) throws -> Bool {
        let values = try messageValues(parsed)
        let isKept = keeping == .all || parsed.outcome == .parsed || parsed.message.editedAt != nil
        if isKept, try run(Self.insertMessage, values) == 1 { return true }
        guard try run(Self.updateMessage, values) == 1 else { return false }
        for table in try recordTables(schema) {
            _ = try run("DELETE FROM \(quoted(table)) WHERE message_id = ?1", [values[0]])
        }
        return true
    }

    private static var messageColumns: [String] {
        TableLayout.messages.columns.map(\.name).filter { $0 != "deleted_at" }
    }

    private static let insertMessage: String = {
        let values = messageColumns.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
        return "INSERT INTO messages (\(quoted(messageColumns))) VALUES (\(values)) ON CONFLICT (id) DO NOTHING"
    }()

    private static let updateMessage: String = {
        func parameter(_ column: String) -> String { "?\(messageColumns.firstIndex(of: column)! + 1)" }
        let assignments = messageColumns.filter { $0 != "id" }.map { column in
            // History does not tell the guild, so what the gateway told stays.
            column == "guild_id"
                ? "guild_id = coalesce(\(parameter(column)), guild_id)"
                : "\(quoted(column)) = \(parameter(column))"
        }
        return """
            UPDATE messages SET \(assignments.joined(separator: ", "))
            WHERE id = ?1 AND deleted_at IS NULL AND (coalesce(edited_at, sent_at), revision)
                < (coalesce(\(parameter("edited_at")), \(parameter("sent_at"))), \(parameter("revision")))
            """
    }()

    /// In the order of ``messageColumns``.
    private func messageValues(_ parsed: ParsedMessage) throws -> [DatabaseValue] {
        let message = parsed.message
        return [
            try message.id.signed.databaseValue,
            try message.channelID.signed.databaseValue,
            try message.guildID?.signed.databaseValue ?? .null,
            try message.authorID?.signed.databaseValue ?? .null,
            Self.text(message.author),
            Self.text(message.content),
            Int64(message.type).databaseValue,
            Self.text(message.sentAt.fixedWidth),
            Self.text(message.editedAt?.fixedWidth),
            message.pinned.databaseValue,
            message.mentionsEveryone.databaseValue,
            Self.text(parsed.outcome.rawValue),
            Self.text(parsed.reason),
            parsed.revision.databaseValue,
            String(decoding: message.payload, as: UTF8.self).databaseValue,
        ]
    }

    private func insert(
        _ record: Model.Record,
        ordinal: Int,
        of parsed: ParsedMessage,
        into tables: StoreSchema.RecordTables
    ) throws {
        let key = [try parsed.message.id.signed.databaseValue, Int64(ordinal).databaseValue]
        var values = key
        values.append(contentsOf: tables.type.fields.map { Self.value(record.value(of: $0.name)) })
        values.append(Self.text(parsed.parser))
        values.append(Self.text(parsed.parserVersion))
        values.append(Self.text(parsed.source?.rawValue))
        try insert(values, into: tables.table, last: dialect.now)
        for list in tables.lists {
            for (position, element) in record.list(named: list.type.name).enumerated() {
                var values = key
                values.append(Int64(position).databaseValue)
                values.append(contentsOf: list.type.fields.map { Self.value(element.value(of: $0.name)) })
                try insert(values, into: list.table)
            }
        }
    }

    /// - Parameter last: an expression for the last column, where `values` do not reach it.
    private func insert(_ values: [DatabaseValue], into table: TableLayout, last: String? = nil) throws {
        let expressions = values.indices.map { "?\($0 + 1)" } + (last.map { [$0] } ?? [])
        _ = try run(
            """
            INSERT INTO \(quoted(table.name)) (\(quoted(table.columns.map(\.name))))
            VALUES (\(expressions.joined(separator: ", ")))
            """,
            values
        )
    }

    private static func text(_ value: String?) -> DatabaseValue { value?.storable.databaseValue ?? .null }

    private static func value(_ value: FieldValue?) -> DatabaseValue {
        switch value {
        case nil: .null
        case .text(let value), .json(let value): text(value)
        case .integer(let value): value.databaseValue
        case .decimal(let value): text(value.description)
        case .boolean(let value): value.databaseValue
        case .timestamp(let value): text(value.fixedWidth)
        }
    }
}
