import Foundation
import Logging
import Model
import TestSupport
import Testing

@testable import Storage

@Suite(
    "Roles of least privilege",
    .enabled(if: DatabaseServers.runsPostgresTests, Comment(rawValue: DatabaseServers.missingPostgres))
)
struct RoleTests {
    private static let cursor = Snowflake(5)

    /// Connections as one of the roles, without its password.
    private func open(_ database: TestDatabase, _ schema: StoreSchema, as role: String) throws -> any Store {
        try openStore("\(database.url)%20-crole%3D\(role)", schema: schema, name: "test", logger: Logger(label: "test"))
    }

    @Test("each role may do its work and nothing else")
    func narrows() async throws {
        let pipeline = "t\(UInt32.random(in: 0...UInt32.max))"
        let roles = DatabaseRoles(pipeline: pipeline)
        try await TestDatabase.with(.postgres) { database in
            let small = StoreSchema(pipeline: pipeline, records: [.deploy])
            let administrator = try database.open(small)
            _ = try await administrator.setUp()
            #expect(try await administrator.setUpRoles() == roles.all.map { "created role \($0)" })
            #expect(try await administrator.setUpRoles().isEmpty)

            // The owner widens the tables, and the others have their rights on what is new.
            let wide = StoreSchema(pipeline: pipeline, records: [.signal, .deploy])
            let owner = try open(database, wide, as: roles.owner)
            #expect(try await owner.setUp().applied.contains("created table trading_signal"))

            let writer = try open(database, wide, as: roles.writer)
            try await writer.checkReady()
            _ = try await writer.write([.sample(1, records: [.signal("BTC", stops: ["1"])])], keeping: .all)
            try await writer.delete(
                [DeletePage.Deletion(id: Snowflake(1), channelID: Snowflake(42), seenAt: .noon)],
                erasing: [Snowflake(42)]
            )
            _ = try await writer.deleteExpired(days: 1, limit: 9)
            #expect(try await code { _ = try await lease(writer) } == .permission)
            #expect(try await code { _ = try await StoreSetup.widen(database, pipeline, roles.writer) } == .permission)

            let fetcher = try open(database, wide, as: roles.fetcher)
            try await fetcher.checkReady()
            let taken = try #require(try await lease(fetcher))
            #expect(try await fetcher.advance(taken, to: Self.cursor, renewingFor: .seconds(9)))
            #expect(try await code { _ = try await fetcher.rows("SELECT * FROM messages") } == .permission)

            let reader = try open(database, wide, as: roles.reader)
            _ = try await reader.books()
            #expect(try await reader.rows("SELECT contiguous_id FROM fetch_cursors").rows == [["5"]])
            #expect(try await code { _ = try await reader.write([.sample(2)], keeping: .all) } == .permission)
            let refusal = await #expect(throws: StoreError.self) { _ = try await reader.setUpRoles() }
            #expect(refusal?.code == .permission && refusal?.message.contains("OWNER TO \"\(roles.owner)\";") == true)
            for store in [administrator, owner, writer, fetcher, reader] { await store.close() }
            let everyone = roles.all.map { "\"\($0)\"" }.joined(separator: ", ")
            try await database.execute("DROP OWNED BY \(everyone); DROP ROLE \(everyone)")
        }
    }

    private func lease(_ store: any Store) async throws -> ChannelLease? {
        try await store.acquireLease(
            channel: Snowflake(42),
            holder: "f",
            duration: .seconds(9),
            startingAt: Snowflake(1),
            since: nil
        )
    }

    private func code(_ body: () async throws -> Void) async throws -> StoreError.Code? {
        try await storeErrorCode(body)
    }

    private enum StoreSetup {
        static func widen(_ database: TestDatabase, _ pipeline: String, _ role: String) async throws -> SetupReport {
            let bug = RecordType(name: "bug", fields: [FieldType(name: "title", kind: .text)])
            let store = try openStore(
                "\(database.url)%20-crole%3D\(role)",
                schema: StoreSchema(pipeline: pipeline, records: [bug]),
                name: "test",
                logger: Logger(label: "test")
            )
            return try await store.setUp()
        }
    }
}
