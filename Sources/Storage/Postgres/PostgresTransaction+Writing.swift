import Model

extension PostgresTransaction {
    /// One statement a table and chunk, by `unnest` of binary arrays: measured as the fastest way that can be repeated
    /// without doubling rows (BROKER.md, "Writing to Postgres fast and once").
    func write(_ batch: WriteBatch, keeping: MessageKeeping, schema: StoreSchema) throws -> WriteReport {
        var report = WriteReport(unchanged: batch.repeated)
        let messages = ColumnarInsert.messages(keeping)
        let records = RecordInserts(schema: schema, connection: connection)
        for chunk in batch.chunks {
            messages.removeAll()
            for parsed in chunk { try messages.append(parsed) }
            // Mostly all of them are new. So their records are gathered while the server works on the messages.
            let result = try connection.query(messages.sql, messages.columns) { records.gather(chunk) }
            let (written, replaced) = Self.written(result)
            if written.count < chunk.count {
                records.removeAll()
                records.gather(chunk.filter { written.contains(Int64(bitPattern: $0.message.id.rawValue)) }[...])
            }
            try removeRecords(of: replaced, schema: schema)
            report.records += try records.write()
            report.written += written.count
            report.unchanged += chunk.count - written.count
        }
        return report
    }

    /// The ids of new and replaced messages, and of the replaced ones alone.
    private static func written(_ result: PostgresResult) -> (written: Set<Int64>, replaced: [Int64]) {
        var written: Set<Int64> = []
        written.reserveCapacity(result.rowCount)
        var replaced: [Int64] = []
        for row in 0..<result.rowCount {
            let id = result.integer(row, 0)
            written.insert(id)
            if result.boolean(row, 1) { replaced.append(id) }
        }
        return (written, replaced)
    }

    private func removeRecords(of ids: [Int64], schema: StoreSchema) throws {
        guard !ids.isEmpty else { return }
        let tables = try recordTables(schema)
        guard !tables.isEmpty else { return }
        let array = BinaryArray(of: .bigint)
        for id in ids { array.append(id) }
        let deletes = tables.enumerated().map { index, table in
            "d\(index) AS (DELETE FROM \(quoted(table)) WHERE message_id = ANY ($1::bigint[]))"
        }
        try connection.send("WITH \(deletes.joined(separator: ", ")) SELECT 1", [array])
    }
}

extension ColumnarInsert {
    /// The insert of messages, which returns the id of each row written and whether it replaced an older version.
    fileprivate static func messages(_ keeping: MessageKeeping) -> ColumnarInsert {
        let columns = TableLayout.messages.columns.filter { $0.name != "deleted_at" }
        let assignments = columns.map(\.name).filter { $0 != "id" }.map { column in
            // History does not tell the guild, so what the gateway told stays.
            column == "guild_id"
                ? "guild_id = coalesce(excluded.guild_id, messages.guild_id)"
                : "\(quoted(column)) = excluded.\(quoted(column))"
        }
        let filter =
            keeping == .all
            ? ""
            : "WHERE u.outcome = 'parsed' OR u.edited_at IS NOT NULL OR EXISTS (SELECT 1 FROM messages WHERE messages.id = u.id)"
        return ColumnarInsert(
            into: "messages",
            columns: columns,
            suffix: """
                \(filter)
                ON CONFLICT (id) DO UPDATE SET \(assignments.joined(separator: ", "))
                WHERE (coalesce(messages.edited_at, messages.sent_at), messages.revision)
                    < (coalesce(excluded.edited_at, excluded.sent_at), excluded.revision)
                    AND messages.deleted_at IS NULL
                RETURNING id, xmax <> 0
                """
        )
    }

    /// In the order of ``TableLayout/messages`` without `deleted_at`.
    fileprivate func append(_ parsed: ParsedMessage) throws {
        let message = parsed.message
        columns[0].append(try message.id.signed)
        columns[1].append(try message.channelID.signed)
        columns[2].append(try message.guildID?.signed)
        columns[3].append(try message.authorID?.signed)
        columns[4].append(message.author)
        columns[5].append(message.content)
        columns[6].append(Int64(message.type))
        columns[7].append(message.sentAt)
        columns[8].append(message.editedAt)
        columns[9].append(message.pinned)
        columns[10].append(message.mentionsEveryone)
        columns[11].append(parsed.outcome.rawValue)
        columns[12].append(parsed.reason)
        columns[13].append(parsed.revision)
        columns[14].append(message.payload)
        finishRow()
    }
}

/// The inserts of the records and lists of some messages.
private final class RecordInserts {
    private struct Inserts {
        let record: ColumnarInsert
        let lists: [ColumnarInsert]

        var all: [ColumnarInsert] { [record] + lists }
    }

    private let schema: StoreSchema
    private let connection: PostgresConnection
    private var inserts: [Inserts?]
    private var count = 0
    private var messages: ArraySlice<ParsedMessage> = []
    /// The place in `messages` of the first that is not gathered yet.
    private var next = 0

    init(schema: StoreSchema, connection: PostgresConnection) {
        self.schema = schema
        self.connection = connection
        inserts = schema.records.map { _ in nil }
    }

    /// Takes the records of these messages, as many as the statements hold; the rest follows with ``write()``.
    func gather(_ messages: ArraySlice<ParsedMessage>) {
        self.messages = messages
        next = messages.startIndex
        gatherMore()
    }

    private func gatherMore() {
        while next < messages.endIndex, !isFull {
            if !messages[next].records.isEmpty { add(messages[next]) }
            next += 1
        }
    }

    /// Forgets what was gathered.
    func removeAll() {
        count = 0
        messages = []
        next = 0
        for insert in inserts.compactMap(\.self).flatMap(\.all) { insert.removeAll() }
    }

    /// Writes all that was to be gathered, and forgets it. Errors come with the commit.
    ///
    /// - Returns: how many records that were.
    func write() throws -> Int {
        var total = 0
        while true {
            for insert in inserts.compactMap(\.self).flatMap(\.all) where insert.rows > 0 {
                try connection.send(insert.sql, insert.columns)
                insert.removeAll()
            }
            total += count
            count = 0
            guard next < messages.endIndex else { return total }
            gatherMore()
        }
    }

    private var isFull: Bool { inserts.contains { $0?.all.contains(where: \.isFull) ?? false } }

    private func add(_ parsed: ParsedMessage) {
        let id = Int64(bitPattern: parsed.message.id.rawValue)
        count += parsed.records.count
        for (ordinal, record) in parsed.records.enumerated() {
            guard let index = schema.indexOfRecord(named: record.type) else { continue }
            let inserts = inserts(at: index)
            let tables = schema.records[index]
            add(record, id: id, ordinal: ordinal, of: parsed, fields: tables.type.fields, to: inserts.record)
            for (list, insert) in zip(tables.lists, inserts.lists) {
                for (position, element) in record.list(named: list.type.name).enumerated() {
                    insert.columns[0].append(id)
                    insert.columns[1].append(Int64(ordinal))
                    insert.columns[2].append(Int64(position))
                    for (place, field) in list.type.fields.enumerated() {
                        insert.columns[3 + place].append(element.value(of: field.name))
                    }
                    insert.finishRow()
                }
            }
        }
    }

    private func add(
        _ record: Record,
        id: Int64,
        ordinal: Int,
        of parsed: ParsedMessage,
        fields: [FieldType],
        to insert: ColumnarInsert
    ) {
        let columns = insert.columns
        columns[0].append(id)
        columns[1].append(Int64(ordinal))
        for (place, field) in fields.enumerated() { columns[2 + place].append(record.value(of: field.name)) }
        columns[columns.count - 3].append(parsed.parser)
        columns[columns.count - 2].append(parsed.parserVersion)
        columns[columns.count - 1].append(parsed.source?.rawValue)
        insert.finishRow()
    }

    private func inserts(at index: Int) -> Inserts {
        if let made = inserts[index] { return made }
        let tables = schema.records[index]
        let made = Inserts(
            record: ColumnarInsert(
                into: tables.table.name,
                columns: tables.table.columns.dropLast(),
                last: ("parsed_at", "now()")
            ),
            lists: tables.lists.map { ColumnarInsert(into: $0.table.name, columns: $0.table.columns) }
        )
        inserts[index] = made
        return made
    }
}
