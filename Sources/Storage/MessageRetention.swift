import Model

/// What `store.retention` asks of a store. Errors are as of ``Store``.
package protocol MessageRetention {
    /// Deletes messages older than so many days by the database's clock, with all their records and kept answers, and replayed dead
    /// letters in which nothing is younger. Cursors and letters that are not replayed stay.
    ///
    /// - Parameter limit: how many messages, and how many letters, at most: one small transaction.
    /// - Returns: how many of both were deleted; fewer than `limit` when nothing is left to delete.
    func deleteExpired(days: Int, limit: Int) async throws -> Int
}

extension DatabaseStore {
    func deleteExpired(days: Int, limit: Int) throws -> Int {
        guard days > 0 else { return 0 }
        return try engine.transaction(.write) { try $0.deleteExpired(days: days, limit: limit, schema: schema) }
    }
}

extension SQLConnection {
    func deleteExpired(days: Int, limit: Int, schema: StoreSchema) throws -> Int {
        guard let now = try query("SELECT \(dialect.iso(dialect.now)) AS now", []).namedRows.first?.instant("now")
        else {
            return 0
        }
        // An id tells when its message was sent, also that of a tombstone, and it is the primary key.
        let oldest = Snowflake(justBefore: Timestamp(microseconds: now.microseconds - Int64(days) * 86_400_000_000))
        let expired = try expiredMessages(upTo: oldest, limit: limit)
        if !expired.isEmpty {
            _ = try query("DELETE FROM messages WHERE id \(dialect.isAny(of: "$1"))", [dialect.value(expired)])
            for table in try recordTables(schema) + [TableLayout.openaiAnswers.name] {
                _ = try query(
                    "DELETE FROM \(quoted(table)) WHERE message_id \(dialect.isAny(of: "$1"))",
                    [dialect.value(expired)]
                )
            }
        }
        let letters = try deleteExpiredLetters(upTo: oldest, now: now, days: days, limit: limit)
        return max(expired.count, letters)
    }

    /// Locked in the order of their ids, as every writer locks them; what somebody is just writing is left for later.
    private func expiredMessages(upTo oldest: Snowflake, limit: Int) throws -> [Int64] {
        let lock = dialect == .postgres ? "FOR UPDATE SKIP LOCKED" : ""
        let found = try query(
            "SELECT id FROM messages WHERE id <= $1 ORDER BY id LIMIT \(max(0, limit)) \(lock)",
            [try SQLValue(oldest)]
        )
        return found.rows.compactMap { $0[0].flatMap { Int64($0) } }
    }

    private func deleteExpiredLetters(upTo oldest: Snowflake, now: Timestamp, days: Int, limit: Int) throws -> Int {
        let ids =
            dialect == .postgres
            ? "unnest(dead_letters.message_ids) AS entry(value)" : "json_each(dead_letters.message_ids) AS entry"
        let found = try query(
            """
            DELETE FROM dead_letters WHERE id IN (
                SELECT id FROM dead_letters WHERE state = 'replayed'
                    AND NOT EXISTS (SELECT 1 FROM \(ids) WHERE entry.value > $1)
                    AND (EXISTS (SELECT 1 FROM \(ids)) OR last_at < $2)
                LIMIT \(max(0, limit))
            ) RETURNING id
            """,
            [
                try SQLValue(oldest),
                SQLValue(Timestamp(microseconds: now.microseconds - Int64(days) * 86_400_000_000)),
            ]
        )
        return found.rows.count
    }
}
