package import Model

/// What a store does about messages that were deleted in Discord. Errors are as of ``Store``.
package protocol MessageDeletion {
    /// Leaves a tombstone for each: a row with its id, its channel and `deleted_at`, which no version of the message
    /// changes any more, whether it was there before or comes later.
    ///
    /// - Parameter erasing: the channels of which content, payload, records, dead letters and kept answers go too. Of other channels
    ///   what was stored stays.
    func delete(_ deletions: [DeletePage.Deletion], erasing: Set<Snowflake>) async throws
}

extension DatabaseStore {
    func delete(_ deletions: [DeletePage.Deletion], erasing: Set<Snowflake>) throws {
        guard !deletions.isEmpty else { return }
        try engine.transaction(.write) { connection in
            try connection.lock(deletions.filter { erasing.contains($0.channelID) }.map(\.id))
            for deletion in deletions.sorted(by: { $0.id < $1.id }) {
                let erases = erasing.contains(deletion.channelID)
                try connection.leaveTombstone(deletion, erasing: erases)
                if erases { try connection.erase(deletion.id, schema: schema) }
            }
        }
    }
}

extension SQLConnection {
    /// The `reason` of a tombstone of which nothing else may be kept.
    private static var erased: String { "erased" }

    /// Waits until nobody else erases these messages or keeps something of them, and keeps the others waiting until the
    /// end of the transaction: what is kept of a message that is not erased yet must be there for the erasure to find. On
    /// SQLite there is one writer at a time.
    func lock(_ ids: [Snowflake]) throws {
        guard dialect == .postgres, !ids.isEmpty else { return }
        _ = try query(
            """
            SELECT pg_advisory_xact_lock(hashtextextended('chaffinch message ' || current_schema(), id))
            FROM (SELECT unnest($1::bigint[]) AS id ORDER BY id) AS messages
            """,
            [dialect.value(try Set(ids).map { try $0.signed })]
        )
    }

    /// Those of which nothing may be kept. They must be locked.
    func erased(among ids: [Snowflake]) throws -> [Snowflake] {
        guard !ids.isEmpty else { return [] }
        let found = try query(
            "SELECT id FROM messages WHERE id \(dialect.isAny(of: "$1")) AND deleted_at IS NOT NULL AND reason = $2",
            [dialect.value(try Set(ids).map { try $0.signed }), SQLValue(Self.erased)]
        )
        return found.rows.compactMap { $0[0].flatMap { Snowflake($0) } }.sorted()
    }

    /// Takes out of letters that were just written what had been erased before they came.
    func eraseLateArrivals(in letters: [DeadLetter]) throws {
        for id in try erased(among: letters.flatMap(\.messageIDs)) { try eraseLetters(of: id) }
    }

    /// One statement a message: deletions are rare.
    fileprivate func leaveTombstone(_ deletion: DeletePage.Deletion, erasing: Bool) throws {
        let kept: Set = ["id", "channel_id", "deleted_at", "reason", "revision"]
        let cleared = TableLayout.messages.columns.map(\.name).filter { !kept.contains($0) }
        let clearing = erasing ? cleared.map { ", \(quoted($0)) = NULL" }.joined() : ""
        _ = try query(
            """
            INSERT INTO messages (id, channel_id, deleted_at, revision, reason) VALUES ($1, $2, $3, 0, $4)
            ON CONFLICT (id) DO UPDATE SET deleted_at = coalesce(messages.deleted_at, excluded.deleted_at),
                reason = coalesce(excluded.reason, messages.reason)\(clearing)
            """,
            [
                try SQLValue(deletion.id), try SQLValue(deletion.channelID), SQLValue(deletion.seenAt),
                SQLValue(erasing ? Self.erased : nil),
            ]
        )
    }

    fileprivate func erase(_ id: Snowflake, schema: StoreSchema) throws {
        for table in try recordTables(schema) + [TableLayout.openaiAnswers.name] {
            _ = try query("DELETE FROM \(quoted(table)) WHERE message_id = $1", [try SQLValue(id)])
        }
        try eraseLetters(of: id)
    }

    private func eraseLetters(of id: Snowflake) throws {
        let letters = try deadLetterIDs(DeadLetterFilter(message: id))
        for letter in try letters.compactMap({ try deadLetter($0)?.letter }) { try erase(id, from: letter) }
    }

    /// A letter in which other messages died too keeps those.
    private func erase(_ id: Snowflake, from letter: DeadLetter) throws {
        let rest = letter.messageIDs.filter { $0 != id }
        guard !rest.isEmpty else {
            _ = try query("DELETE FROM dead_letters WHERE id = $1", [SQLValue(letter.id)])
            return
        }
        _ = try query(
            "UPDATE dead_letters SET message_ids = $2, payload = $3 WHERE id = $1",
            [
                SQLValue(letter.id), dialect.value(try rest.map { try $0.signed }),
                .bytes(Self.payload(letter.payload, without: id)),
            ]
        )
    }

    /// A page or a record batch without one of its messages; nothing at all when it cannot be taken apart.
    private static func payload(_ payload: [UInt8], without id: Snowflake) -> [UInt8] {
        guard let document = try? JSONDocument(payload) else { return [] }
        var writer = JSONWriter(reserving: payload.count)
        writer.array { writer in
            for element in document.root.elements {
                let own = (element["message"]?["id"] ?? element["id"])?.string
                if own != id.description { writer.raw(element.raw) }
            }
        }
        return writer.bytes
    }
}
