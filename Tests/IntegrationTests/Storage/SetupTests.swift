import Model
import Testing

@testable import Storage

@Suite("Setup")
struct SetupTests {
    @Test("creates every table, and a second time changes nothing", arguments: DatabaseKind.available)
    func createsTables(kind: DatabaseKind) async throws {
        try await TestDatabase.with(kind) { database in
            let store = try database.open()
            #expect(try await storeErrorCode { try await store.checkReady() } == .notSetUp)
            let first = try await store.setUp()
            #expect(
                first.applied == [
                    "created table chaffinch_schema", "created table messages",
                    "created index messages_channel_id_sent_at", "created table fetch_cursors",
                    "created table dead_letters", "created index dead_letters_state_last_at",
                    "created table openai_spend", "created table openai_answers",
                    "created index openai_answers_message_id",
                    "created table trading_signal", "created table trading_signal_trading_stops",
                    "created table deploy",
                ]
            )
            try await store.checkReady()
            #expect(try await store.setUp() == SetupReport())
            await store.close()
        }
    }

    @Test("adds fields, lists and records, and keeps what is no longer named", arguments: DatabaseKind.available)
    func widens(kind: DatabaseKind) async throws {
        var wider = RecordType.signal
        wider.fields.append(FieldType(name: "risk", kind: .decimal))
        wider.fields.removeAll { $0.name == "urgent" }
        wider.lists[0].fields.append(FieldType(name: "share", kind: .decimal))
        wider.lists.append(ListType(name: "links", fields: [FieldType(name: "url", kind: .text)]))
        let bug = RecordType(name: "bug", fields: [FieldType(name: "title", kind: .text)])
        let schema = StoreSchema(pipeline: "trading-desk", records: [wider, .deploy, bug])
        try await TestDatabase.withStore(kind) { store, database in
            _ = try await store.write([.sample(1, records: [.signal("BTC", stops: ["1.5"])])], keeping: .all)
            let next = try database.open(schema)
            #expect(try await storeErrorCode { try await next.checkReady() } == .notSetUp)
            let report = try await next.setUp()
            #expect(
                report.applied == [
                    "added column trading_signal.risk", "added column trading_signal_trading_stops.share",
                    "created table trading_signal_links", "created table bug",
                ]
            )
            #expect(report.unused == ["trading_signal.urgent"])
            try await next.checkReady()
            // What the last generation needs is still there, so its workers go on.
            try await store.checkReady()
            _ = try await store.write([.sample(2, records: [.signal("ETH")])], keeping: .all)
            let rows = try await next.rows("SELECT ticker, risk FROM trading_signal ORDER BY message_id").rows
            #expect(rows == [["BTC", nil], ["ETH", nil]])
            await next.close()
        }
    }

    @Test("refuses another type with the SQL to run, and changes nothing", arguments: DatabaseKind.available)
    func refusesOtherType(kind: DatabaseKind) async throws {
        var changed = RecordType.signal
        changed.fields[2] = FieldType(name: "entry_price", kind: .text)
        changed.fields.append(FieldType(name: "risk", kind: .decimal))
        try await TestDatabase.withStore(kind) { _, database in
            let next = try database.open(StoreSchema(pipeline: "trading-desk", records: [changed, .deploy]))
            let error = await #expect(throws: StoreError.self) { _ = try await next.setUp() }
            let sql =
                kind == .postgres
                ? #"ALTER TABLE "trading_signal" ALTER COLUMN "entry_price" TYPE text USING "entry_price"::text;"#
                : #"ALTER TABLE "trading_signal" RENAME COLUMN "entry_price" TO "entry_price_before";"#
            #expect(error?.code == .notAdditive(sql: [sql]))
            #expect(error?.description.contains(sql) == true)
            #expect(
                try await storeErrorCode { _ = try await next.rows("SELECT risk FROM trading_signal") } == .notSetUp
            )
            // What it proposes is what it takes.
            try await database.execute(sql)
            #expect(try await next.setUp().applied.contains("added column trading_signal.risk"))
            try await next.checkReady()
            await next.close()
        }
    }

    @Test("refuses a table of somebody else that bears the name of a record", arguments: DatabaseKind.available)
    func refusesForeignTable(kind: DatabaseKind) async throws {
        try await TestDatabase.with(kind) { database in
            try await database.execute("CREATE TABLE deploy (id integer NOT NULL PRIMARY KEY, version text)")
            let store = try database.open()
            let code = try await storeErrorCode { _ = try await store.setUp() }
            #expect(code == .notAdditive(sql: [#"ALTER TABLE "deploy" RENAME TO "deploy_before";"#]))
            // One transaction: not even the tables without trouble are there.
            #expect(try await storeErrorCode { _ = try await store.rows("SELECT * FROM messages") } == .notSetUp)
            await store.close()
        }
    }

    @Test("refuses the database of another pipeline", arguments: DatabaseKind.available)
    func refusesOtherPipeline(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { _, database in
            let other = try database.open(StoreSchema(pipeline: "bug-desk", records: []))
            #expect(try await storeErrorCode { _ = try await other.setUp() } == .otherPipeline)
            #expect(try await storeErrorCode { try await other.checkReady() } == .otherPipeline)
            await other.close()
        }
    }

    @Test("several at once do not clash", arguments: DatabaseKind.available)
    func runsConcurrently(kind: DatabaseKind) async throws {
        try await TestDatabase.with(kind) { database in
            let created = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    let store = try database.open()
                    group.addTask {
                        let report = try await store.setUp()
                        await store.close()
                        return report.applied.count
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(created.sorted() == Array(repeating: 0, count: 7) + [12])
        }
    }

    @Test(
        "names that no database can hold are refused before anything is created",
        arguments: [
            (RecordType(name: "messages", fields: []), "two tables would be named 'messages'"),
            (
                RecordType(name: "signal", fields: [FieldType(name: "Parser", kind: .text)]),
                "table 'signal' would have two columns named 'parser'"
            ),
            (
                RecordType(name: String(repeating: "x", count: 64), fields: []),
                "'\(String(repeating: "x", count: 64))' is not 1 to 63 bytes long, so it cannot name a table or column"
            ),
        ]
    )
    func refusesNames(type: RecordType, problem: String) {
        #expect(StoreSchema(pipeline: "p", records: [type]).problems == [problem])
    }
}
