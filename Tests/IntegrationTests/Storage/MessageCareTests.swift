import Model
import Testing

@testable import Storage

@Suite("Reading back, deleting and expiring messages")
struct MessageCareTests {
    @Test("messages come back with their records, in order and in steps", arguments: DatabaseKind.available)
    func readsBack(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            var rich = Record.signal("BTC", stops: ["1.50", "67000.000000000000000001"])
            rich.fields += [
                Record.NamedValue("entry_price", .decimal(ExactDecimal("0.10")!)),
                Record.NamedValue("leverage", .integer(5)),
                Record.NamedValue("urgent", .boolean(false)),
                Record.NamedValue("valid_until", .timestamp(.noon.later(bySeconds: 1))),
                Record.NamedValue("extra", .json(#"{"a": 1.0}"#)),
            ]
            var invalid = try ParsedMessage.sample(3)
            invalid.outcome = .invalid
            invalid.reason = "signals: no price"
            let batch = [
                try .sample(1, records: [rich, .deploy("2"), .signal("ETH")]), try .sample(2, revision: 7), invalid,
            ]
            _ = try await store.write(batch, keeping: .all)
            let first = try await store.storedMessages(after: Snowflake(0), channels: [], limit: 2)
            #expect(first.map(\.id) == [Snowflake(1), Snowflake(2)])
            #expect(first[0].payload == batch[0].message.payload && first[0].outcome == .parsed)
            #expect(first[0].records.map(\.record) == batch[0].records)
            #expect(first[0].records.map(\.ordinal) == [0, 1, 2])
            #expect(first[0].records.allSatisfy { $0.parser == "signals" && $0.source == .rule })
            #expect(first[1].records.isEmpty && first[1].revision == 7)
            let rest = try await store.storedMessages(after: Snowflake(2), channels: [Snowflake(42)], limit: 9)
            #expect(rest.map(\.reason) == ["signals: no price"])
            #expect(try await store.storedMessages(after: Snowflake(0), channels: [Snowflake(43)], limit: 9).isEmpty)
            try await store.delete([.sample(1), .sample(2)], erasing: [])
            let left = try await store.storedMessages(after: Snowflake(0), channels: [], limit: 9)
            #expect(left.map(\.id) == [Snowflake(3)])
        }
    }

    @Test("a mark keeps what is stored and no version revives it", arguments: DatabaseKind.available)
    func marks(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            _ = try await store.write([.sample(1, records: [.signal("BTC")])], keeping: .all)
            try await store.delete([.sample(2), .sample(1)], erasing: [])
            try await store.delete([.sample(1, at: .noon.later(bySeconds: 60))], erasing: [])
            let edited = try ParsedMessage.sample(1, editedAt: .noon.later(bySeconds: 9), records: [.signal("ETH")])
            _ = try await store.write([edited, .sample(2, records: [.signal("SOL")])], keeping: .all)
            let deleted = database.iso("deleted_at")
            #expect(
                try await store.rows("SELECT id, content, outcome, \(deleted) FROM messages ORDER BY id").rows == [
                    ["1", "hello", "parsed", "2026-11-22T12:00:00.000000Z"],
                    ["2", nil, nil, "2026-11-22T12:00:00.000000Z"],
                ]
            )
            #expect(try await store.rows("SELECT message_id, ticker FROM trading_signal").rows == [["1", "BTC"]])
            #expect(try await store.books().balances)
        }
    }

    @Test(
        "an erasure leaves id, channel and time, and takes the message out of dead letters",
        arguments: DatabaseKind.available
    )
    func erases(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            _ = try await store.write(
                [.sample(1, records: [.signal("BTC", stops: ["1"])]), .sample(2, records: [.signal("ETH")])],
                keeping: .all
            )
            try await store.insert([
                .sample("alone", [1], payload: #"{"id":"1","content":"secret"}"#),
                .sample("page", [1, 2], payload: #"[{"id":"1","content":"secret"},{"id":"2","content":"kept"}]"#),
                .sample("batch", [1, 3], payload: #"[{"message":{"id":"3"}},{"message":{"id":"1"}}]"#),
                .sample("other", [2], payload: "[]"),
            ])
            try await store.delete([.sample(1)], erasing: [Snowflake(42)])
            _ = try await store.write(
                [.sample(1, editedAt: .noon.later(bySeconds: 9), records: [.signal("XRP")])],
                keeping: .all
            )
            let columns = TableLayout.messages.columns.map(\.name).filter {
                !["id", "channel_id", "deleted_at", "reason", "revision"].contains($0)
            }
            let row = try await store.rows("SELECT \(columns.joined(separator: ", ")) FROM messages WHERE id = 1").rows
            #expect(row == [columns.map { _ in nil }])
            #expect(try await store.rows("SELECT ticker FROM trading_signal").rows == [["ETH"]])
            #expect(try await store.rows("SELECT * FROM trading_signal_trading_stops").rows.isEmpty)
            #expect(Set(try await store.deadLetterIDs(DeadLetterFilter())) == ["page", "batch", "other"])
            let page = try #require(try await store.deadLetter("page")?.letter)
            #expect(page.messageIDs == [Snowflake(2)])
            #expect(String(decoding: page.payload, as: UTF8.self) == #"[{"id":"2","content":"kept"}]"#)
            let batch = try #require(try await store.deadLetter("batch")?.letter)
            #expect(String(decoding: batch.payload, as: UTF8.self) == #"[{"message":{"id":"3"}}]"#)
            #expect(try await store.rows("SELECT reason FROM messages ORDER BY id").rows == [["erased"], [nil]])
            // One that was still in a dead queue comes later.
            try await store.insert([.sample("late", [1], payload: #"[{"id":"1","content":"secret"}]"#)])
            #expect(try await store.deadLetter("late") == nil)
            #expect(try await store.books().balances)
        }
    }

    @Test("tables of a record type that is no longer declared are kept in step", arguments: DatabaseKind.available)
    func formerRecordTypes(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { before, database in
            _ = try await before.write(
                try [1, 2, 3, 4].map { try .sample($0, records: [.signal("BTC", stops: ["1"])]) },
                keeping: .all
            )
            let store = try database.open(StoreSchema(pipeline: "trading-desk", records: [.deploy]))
            _ = try await store.setUp()
            func left() async throws -> [[String?]] {
                let lists = try await store.rows(
                    "SELECT message_id FROM trading_signal_trading_stops ORDER BY message_id"
                ).rows
                #expect(try await store.rows("SELECT message_id FROM trading_signal ORDER BY message_id").rows == lists)
                return lists
            }
            try await store.delete([.sample(1)], erasing: [Snowflake(42)])
            #expect(try await left() == [["2"], ["3"], ["4"]])
            let edit = try ParsedMessage.sample(2, editedAt: .noon.later(bySeconds: 60), records: [.deploy("2")])
            _ = try await store.write([edit], keeping: .all)
            #expect(try await left() == [["3"], ["4"]])
            // Written by ids, and those are of 2015.
            #expect(try await store.deleteExpired(days: 30, limit: 100) == 4)
            #expect(try await left() == [])
            // One that was taken away is not missed.
            try await database.execute("DROP TABLE trading_signal")
            try await store.delete([.sample(5)], erasing: [Snowflake(42)])
            await store.close()
        }
    }

    @Test("what is too old goes in small steps; cursors and dead letters stay", arguments: DatabaseKind.available)
    func expires(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            let day = Timestamp(microseconds: 86_400_000_000)
            let now = try #require(
                Timestamp(
                    iso8601: try await store.rows("SELECT CURRENT_TIMESTAMP").rows[0][0]!.replacing(/\+00$/, with: "Z")
                )
            )
            func id(daysAgo days: Int64) -> UInt64 {
                Snowflake(justBefore: Timestamp(microseconds: now.microseconds - days * day.microseconds)).rawValue
            }
            let old = (0..<5).map { id(daysAgo: 40) + $0 }
            let young = id(daysAgo: 20)
            _ = try await store.write(
                try (old + [young]).map { try .sample($0, records: [.signal("BTC", stops: ["1"])]) },
                keeping: .all
            )
            try await store.delete([.sample(old[4])], erasing: [Snowflake(42)])
            try await store.insert([
                .sample("dead", [old[0]]), .sample("replayed", [old[1]]), .sample("mixed", [old[0], young]),
                .sample("odd", []),
            ])
            _ = try await store.claimDeadLetters(["replayed", "mixed"], for: "r")
            try await store.finishReplay(of: ["replayed", "mixed"])
            let lease = try await store.acquireLease(
                channel: Snowflake(42),
                holder: "f",
                duration: .seconds(60),
                startingAt: Snowflake(old[0]),
                since: nil
            )
            #expect(lease != nil)

            #expect(try await store.deleteExpired(days: 0, limit: 100) == 0)
            #expect(try await store.deleteExpired(days: 30, limit: 3) == 3)
            #expect(try await store.rows("SELECT id FROM messages").rows.count == 3)
            #expect(try await store.deleteExpired(days: 30, limit: 3) == 2)
            #expect(try await store.deleteExpired(days: 30, limit: 3) == 0)
            #expect(try await store.rows("SELECT id FROM messages").rows == [["\(young)"]])
            #expect(try await store.rows("SELECT message_id FROM trading_signal").rows == [["\(young)"]])
            #expect(try await store.rows("SELECT message_id FROM trading_signal_trading_stops").rows == [["\(young)"]])
            #expect(Set(try await store.deadLetterIDs(DeadLetterFilter())) == ["dead", "mixed", "odd"])
            #expect(try await store.rows("SELECT channel_id FROM fetch_cursors").rows == [["42"]])
        }
    }
}

extension DeletePage.Deletion {
    fileprivate static func sample(_ id: UInt64, at seen: Timestamp = .noon) -> DeletePage.Deletion {
        DeletePage.Deletion(id: Snowflake(id), channelID: Snowflake(42), seenAt: seen)
    }
}

extension DeadLetter {
    fileprivate static func sample(_ id: String, _ messages: [UInt64], payload: String = "[]") -> DeadLetter {
        DeadLetter(
            id: id,
            stage: "parse",
            messageIDs: messages.map { Snowflake($0) },
            errorClass: "permanent",
            errorText: "boom",
            attempts: 1,
            attemptTimes: [.noon],
            firstAt: .noon,
            lastAt: .noon,
            worker: "parse/1",
            version: "0.1.0",
            fingerprint: "f",
            payload: Array(payload.utf8)
        )
    }
}
