import Foundation
import Model
import Testing

@testable import Storage

@Suite("Writing")
struct WritingTests {
    @Test("the same write again changes nothing", arguments: DatabaseKind.available)
    func repeatsWithoutEffect(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            let batch: [ParsedMessage] = [
                try .sample(3, records: [.signal("BTC", stops: ["1.5", "2.5"]), .signal("ETH")]),
                try .sample(1), try .sample(2, records: [.deploy("1.2.3")]),
            ]
            #expect(try await store.write(batch, keeping: .all) == WriteReport(written: 3, unchanged: 0, records: 3))
            let before = try await Self.everything(store)
            #expect(try await store.write(batch, keeping: .all) == WriteReport(written: 0, unchanged: 3, records: 0))
            #expect(try await Self.everything(store) == before)
            let signals = try await store.rows(
                "SELECT message_id, ordinal, ticker, side, parser, parser_version, source FROM trading_signal "
                    + "ORDER BY message_id, ordinal"
            )
            #expect(
                signals.rows == [
                    ["3", "0", "BTC", "long", "signals", "abc123", "rule"],
                    ["3", "1", "ETH", "long", "signals", "abc123", "rule"],
                ]
            )
            let stops = try await store.rows(
                "SELECT message_id, ordinal, position, type, price FROM trading_signal_trading_stops ORDER BY position"
            )
            #expect(stops.rows == [["3", "0", "0", "stop_loss", "1.5"], ["3", "0", "1", "stop_loss", "2.5"]])
            let message = try await store.rows(
                "SELECT channel_id, author_id, author, content, type, \(database.iso("sent_at")), edited_at, outcome, "
                    + "revision FROM messages WHERE id = 1"
            )
            #expect(
                message.rows == [
                    ["42", "7", "finch", "hello", "0", "2026-11-22T12:00:00.000000Z", nil, "unmatched", "0"]
                ]
            )
        }
    }

    @Test("a higher version replaces all records, of whatever type and number", arguments: DatabaseKind.available)
    func replacesRecords(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            _ = try await store.write(
                [
                    .sample(1, records: [.signal("BTC", stops: ["1", "2", "3"]), .signal("ETH"), .signal("SOL")]),
                    .sample(2, records: [.signal("ADA", stops: ["9"])]),
                ],
                keeping: .all
            )
            let edited = Timestamp.noon.later(bySeconds: 1)
            let report = try await store.write(
                [.sample(1, content: "new", editedAt: edited, records: [.deploy("2"), .signal("XRP", stops: ["4"])])],
                keeping: .all
            )
            #expect(report == WriteReport(written: 1, unchanged: 0, records: 2))
            let signals = try await store.rows(
                "SELECT message_id, ordinal, ticker FROM trading_signal ORDER BY message_id"
            )
            #expect(signals.rows == [["1", "1", "XRP"], ["2", "0", "ADA"]])
            let stops = try await store.rows(
                "SELECT message_id, ordinal, price FROM trading_signal_trading_stops ORDER BY message_id"
            )
            #expect(stops.rows == [["1", "1", "4"], ["2", "0", "9"]])
            #expect(try await store.rows("SELECT version FROM deploy").rows == [["2"]])
            // A re-parse of the edited version, which finds nothing.
            _ = try await store.write([.sample(1, content: "new", editedAt: edited, revision: 1000)], keeping: .all)
            #expect(try await store.rows("SELECT message_id FROM trading_signal").rows == [["2"]])
            #expect(try await store.rows("SELECT version FROM deploy").rows == [])
            #expect(
                try await store.rows("SELECT content, outcome, revision FROM messages WHERE id = 1").rows
                    == [["new", "unmatched", "1000"]]
            )
        }
    }

    @Test(
        "an equal or lower version changes nothing",
        arguments: DatabaseKind.available,
        [(0, 5), (0, 4), (10, 4), (nil, 99)] as [(Int64?, Int64)]
    )
    func ignoresOlderVersions(kind: DatabaseKind, version: (editedAfter: Int64?, revision: Int64)) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let current = Timestamp.noon.later(bySeconds: 10)
            _ = try await store.write(
                [.sample(1, editedAt: current, revision: 5, records: [.signal("BTC")])],
                keeping: .all
            )
            let before = try await Self.everything(store)
            let late = try ParsedMessage.sample(
                1,
                content: "late",
                editedAt: version.editedAfter.map { Timestamp.noon.later(bySeconds: $0) },
                revision: version.revision,
                records: [.deploy("1")]
            )
            #expect(try await store.write([late], keeping: .all) == WriteReport(written: 0, unchanged: 1, records: 0))
            #expect(try await Self.everything(store) == before)
        }
    }

    @Test("versions are compared to the microsecond", arguments: DatabaseKind.available)
    func comparesMicroseconds(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            let whole = Timestamp.noon.later(bySeconds: 1)
            let finer = Timestamp(microseconds: whole.microseconds + 1)
            _ = try await store.write([.sample(1, content: "a", editedAt: whole)], keeping: .all)
            #expect(try await store.write([.sample(1, content: "b", editedAt: finer)], keeping: .all).written == 1)
            #expect(try await store.write([.sample(1, content: "c", editedAt: whole)], keeping: .all).written == 0)
            #expect(
                try await store.rows("SELECT content, \(database.iso("edited_at")) FROM messages").rows
                    == [["b", "2026-11-22T12:00:01.000001Z"]]
            )
        }
    }

    @Test("of one message several times in a batch the highest version wins", arguments: DatabaseKind.available)
    func deduplicates(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let report = try await store.write(
                [
                    .sample(1, content: "old", records: [.signal("OLD")]),
                    .sample(1, content: "new", editedAt: .noon.later(bySeconds: 5), records: [.signal("NEW")]),
                    .sample(1, content: "same version, later", editedAt: .noon.later(bySeconds: 5)),
                    .sample(1, content: "old again"),
                ],
                keeping: .all
            )
            #expect(report == WriteReport(written: 1, unchanged: 3, records: 1))
            #expect(try await store.rows("SELECT content FROM messages").rows == [["new"]])
            #expect(try await store.rows("SELECT ticker FROM trading_signal").rows == [["NEW"]])
        }
    }

    @Test("every kind of value comes back whole", arguments: DatabaseKind.available)
    func keepsValues(kind: DatabaseKind) async throws {
        let digits = "1234567890123456789012345678.0123456789"
        try await TestDatabase.withStore(kind) { store, database in
            let record = Record(
                type: "trading_signal",
                fields: [
                    .init("extra", .json(#"{"a":[1,"\u0000",1.50]}"#)),
                    .init("valid_until", .timestamp(Timestamp(iso8601: "2026-11-22T01:02:03.000004Z")!)),
                    .init("urgent", .boolean(true)), .init("leverage", .integer(.min)),
                    .init("entry_price", .decimal(ExactDecimal(digits)!)), .init("ticker", .text("")),
                ]
            )
            let negative = Record(
                type: "trading_signal",
                fields: [
                    .init("urgent", .boolean(false)), .init("entry_price", .decimal(ExactDecimal("-0.00000001")!)),
                ]
            )
            _ = try await store.write([.sample(1, records: [record, negative])], keeping: .all)
            let rows = try await store.rows(
                """
                SELECT ticker, side, entry_price, leverage, CASE WHEN urgent THEN 'yes' ELSE 'no' END,
                    \(database.iso("valid_until")), extra FROM trading_signal ORDER BY ordinal
                """
            ).rows
            #expect(
                rows == [
                    [
                        "", nil, digits, "-9223372036854775808", "yes", "2026-11-22T01:02:03.000004Z",
                        #"{"a":[1,"\u0000",1.50]}"#,
                    ],
                    [nil, nil, "-0.00000001", nil, "no", nil, nil],
                ]
            )
        }
    }

    @Test(
        "texts come back whole, but for U+0000",
        arguments: DatabaseKind.available,
        [
            ("plain", "plain"), ("", ""), ("a\0b\0", "a\u{FFFD}b\u{FFFD}"),
            ("🐦 e\u{301} \u{202E}", "🐦 e\u{301} \u{202E}"),
            ("'; DROP TABLE messages; -- \\ \" \n\t", "'; DROP TABLE messages; -- \\ \" \n\t"),
        ]
    )
    func keepsText(kind: DatabaseKind, text: (written: String, read: String)) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let parsed = try ParsedMessage.sample(1, content: text.written, records: [.signal(text.written)])
            _ = try await store.write([parsed], keeping: .all)
            let found = try await store.rows("SELECT content, payload FROM messages").rows
            #expect(found[0][0] == text.read)
            #expect(found[0][1] == String(decoding: parsed.message.payload, as: UTF8.self))
            #expect(try await store.rows("SELECT ticker FROM trading_signal").rows == [[text.read]])
        }
    }

    @Test("half a surrogate pair is kept as written in the payload", arguments: DatabaseKind.available)
    func keepsHalfASurrogatePair(kind: DatabaseKind) async throws {
        let payload =
            #"{"id":"1","channel_id":"42","author":{"id":"7","username":"\udc00x"},"type":0,"#
            + #""timestamp":"2026-11-22T12:00:00Z","content":"a \ud800 b\ud83d"}"#
        let json = #"{"text":"\ud800"}"#
        try await TestDatabase.withStore(kind) { store, _ in
            var parsed = try ParsedMessage.sample(1, records: [.signal("BTC")])
            parsed.message = try Message(JSONDocument(payload).root)
            parsed.records[0].fields.append(.init("extra", .json(json)))
            _ = try await store.write([parsed], keeping: .all)
            #expect(
                try await store.rows("SELECT content, author, payload FROM messages").rows
                    == [["a \u{FFFD} b\u{FFFD}", "\u{FFFD}x", payload]]
            )
            #expect(try await store.rows("SELECT extra FROM trading_signal").rows == [[json]])
        }
    }

    @Test("more rows and bytes than one statement takes", arguments: DatabaseKind.available)
    func writesLargeBatches(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            var batch = try (1...2_500).map {
                try ParsedMessage.sample($0, records: [.signal("T\($0)", stops: ["1", "2"])])
            }
            batch += try (3_001...3_012).map { try .sample($0, content: String(repeating: "ü", count: 500_000)) }
            batch.shuffle()
            let report = try await store.write(batch, keeping: .all)
            #expect(report == WriteReport(written: 2_512, unchanged: 0, records: 2_500))
            let counts = try await store.rows(
                """
                SELECT (SELECT count(*) FROM messages), (SELECT sum(length(content)) FROM messages WHERE id > 3000),
                    (SELECT count(DISTINCT ticker) FROM trading_signal), (SELECT count(*) FROM trading_signal_trading_stops)
                """
            )
            #expect(counts.rows == [["2512", "6000000", "2500", "5000"]])
        }
    }

    @Test("keeping the parsed only", arguments: DatabaseKind.available)
    func keepsParsedOnly(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let first = try await store.write(
                [.sample(1), .sample(2, records: [.signal("BTC")]), .sample(3)],
                keeping: .parsed
            )
            #expect(first == WriteReport(written: 1, unchanged: 2, records: 1))
            // An edit that no longer parses takes the records away; one that parses now comes in.
            let edited = Timestamp.noon.later(bySeconds: 1)
            let second = try await store.write(
                [.sample(2, editedAt: edited), .sample(3, editedAt: edited, records: [.deploy("1")])],
                keeping: .parsed
            )
            #expect(second == WriteReport(written: 2, unchanged: 0, records: 1))
            let rows = try await store.rows("SELECT id, outcome FROM messages ORDER BY id").rows
            #expect(rows == [["2", "unmatched"], ["3", "parsed"]])
            #expect(try await store.rows("SELECT * FROM trading_signal").rows.isEmpty)
            // An edit that does not parse overtakes its original, which does.
            _ = try await store.write([.sample(4, editedAt: edited)], keeping: .parsed)
            let original = try await store.write([.sample(4, records: [.signal("ETH")])], keeping: .parsed)
            #expect(original == WriteReport(written: 0, unchanged: 1, records: 0))
            #expect(try await store.rows("SELECT outcome FROM messages WHERE id = 4").rows == [["unmatched"]])
        }
    }

    @Test("no version revives a deleted message", arguments: DatabaseKind.available)
    func respectsTombstones(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            try await database.execute(
                "INSERT INTO messages (id, channel_id, revision, deleted_at) VALUES (1, 42, 0, '2026-11-22T12:00:00.000000Z')"
            )
            let report = try await store.write(
                [.sample(1, editedAt: .noon.later(bySeconds: 60), records: [.signal("BTC")])],
                keeping: .all
            )
            #expect(report == WriteReport(written: 0, unchanged: 1, records: 0))
            #expect(try await store.rows("SELECT content FROM messages").rows == [[nil]])
            #expect(try await store.rows("SELECT * FROM trading_signal").rows.isEmpty)
        }
    }

    @Test("history, which names no guild, keeps the guild known", arguments: DatabaseKind.available)
    func keepsGuild(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let live = ParsedMessage(message: try .sample(1, guild: 99), outcome: .unmatched)
            _ = try await store.write([live], keeping: .all)
            _ = try await store.write([.sample(1, editedAt: .noon.later(bySeconds: 1))], keeping: .all)
            #expect(try await store.rows("SELECT guild_id FROM messages").rows == [["99"]])
        }
    }

    @Test("bad data is said to be so, and nothing of its batch is written", arguments: DatabaseKind.available, 0..<5)
    func refusesBadData(kind: DatabaseKind, case number: Int) async throws {
        var bad = try ParsedMessage.sample(2, records: [.signal("BTC")])
        switch number {
        case 0: bad.message.id = Snowflake(UInt64.max)
        case 1: bad.records = [Record(type: "unknown")]
        case 2: bad.records = [Record(type: "deploy", fields: [.init("colour", .text("red"))])]
        case 3: bad.records = [Record(type: "deploy", fields: [.init("version", .integer(1))])]
        default: bad.records[0].lists = [.init("trading_stops", [[.init("when", .text("now"))]])]
        }
        try await TestDatabase.withStore(kind) { [bad] store, _ in
            let code = try await storeErrorCode { _ = try await store.write([.sample(1), bad], keeping: .all) }
            #expect(code == .badData)
            #expect(try await store.rows("SELECT * FROM messages").rows.isEmpty)
        }
    }

    @Test("what the server refuses is bad data too, and the next batch goes through", arguments: DatabaseKind.available)
    func refusesWhatTheServerRefuses(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            try await database.execute("CREATE UNIQUE INDEX one_ticker ON trading_signal (ticker)")
            let code = try await storeErrorCode {
                _ = try await store.write(
                    [.sample(1, records: [.signal("BTC")]), .sample(2, records: [.signal("BTC")])],
                    keeping: .all
                )
            }
            #expect(code == .badData)
            #expect(try await store.rows("SELECT * FROM messages").rows.isEmpty)
            #expect(try await store.write([.sample(1, records: [.signal("BTC")])], keeping: .all).written == 1)
        }
    }

    @Test("writers with overlapping batches end in the highest versions", arguments: DatabaseKind.available)
    func writesConcurrently(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            let versions = 4
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    let connection = try database.open(name: "writer-\(writer)")
                    group.addTask {
                        for round in 0..<6 {
                            let batch = try (1...120).map { id in
                                let version = (writer + round + id) % versions
                                return try ParsedMessage.sample(
                                    UInt64(id),
                                    content: "v\(version)",
                                    editedAt: .noon.later(bySeconds: Int64(version)),
                                    records: (0...version).map { .signal("v\(version)-\($0)", stops: ["\(version)"]) }
                                )
                            }
                            _ = try await connection.write(
                                batch.shuffled(),
                                keeping: round.isMultiple(of: 2) ? .all : .parsed
                            )
                        }
                        await connection.close()
                    }
                }
                try await group.waitForAll()
            }
            #expect(
                try await store.rows("SELECT content, count(*) FROM messages GROUP BY content").rows == [["v3", "120"]]
            )
            #expect(
                try await store.rows("SELECT ticker, count(*) FROM trading_signal GROUP BY ticker ORDER BY ticker").rows
                    == [["v3-0", "120"], ["v3-1", "120"], ["v3-2", "120"], ["v3-3", "120"]]
            )
            #expect(try await store.rows("SELECT count(*) FROM trading_signal_trading_stops").rows == [["480"]])
        }
    }

    @Test("the newest records, for showing", arguments: DatabaseKind.available)
    func showsNewest(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            _ = try await store.write((1...5).map { try .sample($0, records: [.deploy("v\($0)")]) }, keeping: .all)
            let table = try await store.newestRecords(of: "deploy", limit: 2)
            #expect(
                table.columns == [
                    "message_id", "ordinal", "version", "parser", "parser_version", "source", "parsed_at",
                ]
            )
            #expect(table.rows.map { $0[2] } == ["v5", "v4"])
        }
    }

    /// All rows of all tables of the trading schema.
    private static func everything(_ store: any Store) async throws -> [TextTable] {
        var tables: [TextTable] = []
        for name in ["messages", "trading_signal", "trading_signal_trading_stops", "deploy"] {
            tables.append(try await store.rows("SELECT * FROM \(name) ORDER BY 1, 2, 3"))
        }
        return tables
    }
}
