import Foundation
import Logging
import Model
import TestSupport
import Testing

@testable import Storage

@Suite("Availability of a database")
struct AvailabilityTests {
    @Test(
        "a URL that cannot be read is refused without being quoted",
        arguments: [
            "mysql://user:secret@host/db", "postgres://user:secret@host:port/db", "postgres://user:se%cret@host/db",
            "postgres://user:se@cret@host/db",
            "sqlite:",
        ]
    )
    func refusesURL(url: String) {
        let error = #expect(throws: StoreError.self) {
            _ = try openStore(url, schema: .trading, name: "test", logger: Logger(label: "test"))
        }
        #expect(error?.code == .badURL)
        #expect(error?.description.contains("cret") == false)
    }

    @Test("a server that is not there is unavailable, as is a folder")
    func reportsAbsence() async throws {
        for url in ["postgres://user:secret@127.0.0.1:1/db", "sqlite:\(NSTemporaryDirectory())"] {
            let store = try openStore(url, schema: .trading, name: "test", logger: Logger(label: "test"))
            let error = await #expect(throws: StoreError.self) { try await store.checkReady() }
            #expect(error?.code == .unavailable)
            #expect(error?.description.contains("secret") == false)
            await store.close()
        }
    }

    @Test("a closed store is unavailable", arguments: DatabaseKind.available)
    func staysClosed(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            await store.close()
            let code = try await storeErrorCode { try await store.checkReady() }
            #expect(code == .unavailable)
        }
    }

    @Test(
        "a server is there to be tested against",
        .enabled(if: DatabaseServers.runsPostgresTests, "\(DatabaseServers.missingPostgres)")
    )
    func hasServer() throws {
        _ = try #require(DatabaseServers.postgresURL, "\(DatabaseServers.missingPostgres)")
    }

    @Test("a lost connection is unavailable once, then made anew", .enabled(if: DatabaseServers.runsPostgresTests))
    func reconnects() async throws {
        try await TestDatabase.withStore(.postgres) { store, database in
            let backend = try #require(try await store.rows("SELECT pg_backend_pid()").rows[0][0])
            let other = try database.open()
            // Returns once the other side is gone.
            _ = try await other.rows("SELECT pg_terminate_backend(\(backend), 10000)")
            await other.close()
            #expect(try await storeErrorCode { _ = try await store.write([.sample(1)], keeping: .all) } == .unavailable)
            #expect(try await store.write([.sample(1)], keeping: .all).written == 1)
        }
    }

    @Test("a server that does not answer in time is given up", .enabled(if: DatabaseServers.runsPostgresTests))
    func noticesSilence() throws {
        let url = try #require(DatabaseServers.postgresURL, "\(DatabaseServers.missingPostgres)")
        let connection = try PostgresConnection([("dbname", url)])
        let error = #expect(throws: PostgresError.self) {
            try connection.withPatience(.milliseconds(50)) { try connection.execute("SELECT pg_sleep(20)") }
        }
        #expect(error?.storeError.code == .unavailable)
        #expect(connection.isLost)
    }

    @Test(
        "what a server says of itself is told from what it says of a value",
        arguments: [
            ("25006", StoreError.Code.unavailable), ("0A000", .unavailable), ("26000", .unavailable),
            ("53100", .unavailable), ("57P01", .unavailable), ("40001", .unavailable), ("55P03", .lockTimeout),
            ("42501", .permission), ("28000", .permission), ("42P01", .notSetUp), ("42P10", .notSetUp),
            ("42804", .notSetUp), ("42883", .notSetUp), ("22003", .badData), ("23505", .badData), ("54000", .badData),
            ("P0001", .internal), ("XX000", .internal),
        ]
    )
    func classifies(state: String, code: StoreError.Code) {
        #expect(PostgresError(state: state, text: "odd").storeError.code == code)
    }

    @Test(
        "a server that may only be read is left for another connection",
        .enabled(if: DatabaseServers.runsPostgresTests)
    )
    func leavesAReadOnlyServer() async throws {
        try await TestDatabase.withStore(.postgres) { store, database in
            let backend = "SELECT pg_backend_pid()"
            _ = try await store.write([.sample(1)], keeping: .all)
            let first = try await store.rows(backend).rows
            // What a standby says of a transaction that is to write.
            try await database.execute(
                """
                CREATE FUNCTION standby() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'during recovery' USING ERRCODE = '0A000'; END $$;
                CREATE TRIGGER standby BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION standby()
                """
            )
            #expect(try await storeErrorCode { _ = try await store.write([.sample(2)], keeping: .all) } == .unavailable)
            try await database.execute("DROP TRIGGER standby ON messages")
            #expect(try await store.write([.sample(2)], keeping: .all).written == 1)
            #expect(try await store.rows(backend).rows != first)
        }
    }

    @Test("a wrong password is a matter of permission", .enabled(if: DatabaseServers.runsPostgresTests))
    func reportsWrongPassword() async throws {
        try await TestDatabase.with(.postgres) { database in
            var parts = try #require(URLComponents(string: database.url))
            // A server that trusts everyone on loopback would let it pass.
            guard parts.password != nil else { return }
            parts.password = "wrong-\(UUID())"
            let store = try openStore(
                try #require(parts.string),
                schema: .trading,
                name: "test",
                logger: Logger(label: "test")
            )
            let error = await #expect(throws: StoreError.self) { try await store.checkReady() }
            #expect(error?.code == .permission)
            #expect(error?.description.contains("wrong-") == false)
        }
    }

    @Test("setup gives up on a table that stays locked", .enabled(if: DatabaseServers.runsPostgresTests))
    func reportsLocks() async throws {
        try await TestDatabase.withStore(.postgres) { _, database in
            var wider = RecordType.signal
            wider.fields.append(FieldType(name: "risk", kind: .decimal))
            let schema = StoreSchema(pipeline: "trading-desk", records: [wider, .deploy])
            let holder = try PostgresConnection([("dbname", database.url)])
            try holder.execute("BEGIN; LOCK TABLE trading_signal IN ACCESS SHARE MODE")
            let store = try database.open(schema)
            #expect(try await storeErrorCode { _ = try await store.setUp() } == .lockTimeout)
            try holder.execute("ROLLBACK")
            #expect(try await store.setUp().applied == ["added column trading_signal.risk"])
            await store.close()
        }
    }
}
