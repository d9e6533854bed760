import Model

extension SQLConnection {
    func books(_ schema: StoreSchema) throws -> Books {
        var books = Books()
        let outcomes = try query(
            "SELECT outcome, count(*) FROM messages WHERE outcome IS NOT NULL GROUP BY outcome",
            []
        )
        for row in outcomes.rows {
            let count = Self.count(row[1])
            books.accepted += count
            switch row[0] {
            case "parsed": books.parsed = count
            case "unmatched": books.unmatched = count
            case "invalid": books.invalid = count
            case "skipped": books.skipped = count
            default: break
            }
        }
        let buried = try query(lettersWithoutMessage, []).rows[0]
        books.accepted += Self.count(buried[0])
        books.dead = Self.count(buried[1])
        for record in schema.records {
            let rows = try query("SELECT count(*) FROM \(quoted(record.table.name))", []).rows
            books.recordRows[record.type.name] = Self.count(rows[0][0])
        }
        return books
    }

    /// Distinct messages in dead letters that have no row with an outcome: all of them, and those not replayed.
    private var lettersWithoutMessage: String {
        let (ids, id) =
            dialect == .postgres
            ? ("unnest(dead_letters.message_ids) AS entry(id)", "entry.id")
            : ("json_each(dead_letters.message_ids) AS entry", "entry.value")
        return """
            SELECT count(DISTINCT \(id)), count(DISTINCT CASE WHEN dead_letters.state <> 'replayed' THEN \(id) END)
            FROM dead_letters, \(ids)
            WHERE NOT EXISTS (SELECT 1 FROM messages WHERE messages.id = \(id) AND messages.outcome IS NOT NULL)
            """
    }

    private static func count(_ text: String?) -> Int { text.flatMap { Int($0) } ?? 0 }
}
