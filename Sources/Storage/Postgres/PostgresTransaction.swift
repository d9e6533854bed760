/// A connection inside a transaction.
struct PostgresTransaction: SQLConnection {
    let connection: PostgresConnection

    var dialect: Dialect { .postgres }

    func query(_ sql: String, _ parameters: [SQLValue]) throws -> TextTable {
        let result = try connection.query(sql, parameters.map(\.text))
        let columns = result.columns
        return TextTable(
            columns: columns,
            rows: (0..<result.rowCount).map { row in columns.indices.map { result.text(row, $0) } }
        )
    }

    func execute(_ sql: String) throws {
        try connection.execute(sql)
    }

    func existingSchema(of tables: [TableLayout]) throws -> ExistingSchema {
        var existing = ExistingSchema()
        let names = "{" + tables.map { quoted($0.name) }.joined(separator: ",") + "}"
        let columns = try query(
            """
            SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                a.atthasdef OR a.attidentity <> '' FROM pg_class c
            LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY ($1::text[])
                AND c.relkind NOT IN ('i', 'I')
            """,
            [.text(names)]
        )
        for row in columns.rows {
            guard let table = row[0], let kind = row[1] else { continue }
            existing.tables[table, default: ExistingSchema.Table()].isTable = kind == "r" || kind == "p"
            guard let column = row[2], let type = row[3] else { continue }
            existing.tables[table]?.columns[column] = ExistingSchema.Column(
                type: type,
                isRequired: row[4] == "t",
                hasDefault: row[5] == "t"
            )
        }
        let keys = try query(
            """
            SELECT c.relname, a.attname FROM pg_index i
            JOIN pg_class c ON c.oid = i.indrelid
            CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
            WHERE i.indisprimary AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY ($1::text[])
            ORDER BY c.relname, k.place
            """,
            [.text(names)]
        )
        for row in keys.rows {
            guard let table = row[0], let column = row[1] else { continue }
            existing.tables[table]?.primaryKey.append(column)
        }
        let indexes = try query(
            """
            SELECT relname FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('i', 'I')
            """,
            []
        )
        existing.indexes = Set(indexes.rows.compactMap { $0[0] })
        return existing
    }
}

extension SQLValue {
    fileprivate var text: String? {
        switch self {
        case .null: nil
        case .integer(let value): String(value)
        case .real(let value): String(value)
        case .text(let value): value
        case .bytes(let value): "\\x" + value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}
