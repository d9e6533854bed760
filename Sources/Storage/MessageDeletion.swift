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

    /// Takes out of letters that were just written what had been erased before they came.
    func eraseLateArrivals(in letters: [DeadLetter]) throws {
        let ids = Set(letters.flatMap(\.messageIDs))
        guard !ids.isEmpty else { return }
        let found = try query(
            "SELECT id FROM messages WHERE id \(dialect.isAny(of: "$1")) AND deleted_at IS NOT NULL AND reason = $2",
            [dialect.value(try ids.map { try $0.signed }), SQLValue(Self.erased)]
        )
        for id in found.rows.compactMap({ $0[0].flatMap { Snowflake($0) } }).sorted() { try eraseLetters(of: id) }
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
        for table in schema.recordTables + [.openaiAnswers] {
            _ = try query("DELETE FROM \(quoted(table.name)) WHERE message_id = $1", [try SQLValue(id)])
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
