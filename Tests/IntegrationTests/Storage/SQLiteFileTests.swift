import Foundation
import Logging
import Model
import Testing

@testable import Storage

@Suite("The file of a SQLite database")
struct SQLiteFileTests {
    private static let calls: [(name: String, call: @Sendable (any Store) async throws -> Void)] = [
        ("checkReady", { try await $0.checkReady() }),
        ("write", { _ = try await $0.write([.sample(1)], keeping: .all) }),
        (
            "acquireLease",
            {
                _ = try await $0.acquireLease(
                    channel: Snowflake(42),
                    holder: "a",
                    duration: .seconds(30),
                    startingAt: Snowflake(1),
                    since: nil
                )
            }
        ),
        ("books", { _ = try await $0.books() }),
        ("rows", { _ = try await $0.rows("SELECT 1") }),
    ]

    @Test("without a file only setup makes one, with its folders", arguments: calls.map(\.name))
    func isMadeBySetup(name: String) async throws {
        let call = try #require(Self.calls.first { $0.name == name }).call
        try await TestDatabase.with(.sqlite) { database in
            let root = URL(filePath: database.path).deletingLastPathComponent().path
            let nested = TestDatabase(kind: .sqlite, url: "sqlite:\(root)/new/inner/test.db")
            let store = try nested.open()
            #expect(try await storeErrorCode { try await call(store) } == .notSetUp)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root).isEmpty)
            _ = try await store.setUp()
            try await call(store)
            await store.close()
            #expect(try Self.mode("\(root)/new") == 0o700)
            #expect(try Self.mode("\(root)/new/inner") == 0o700)
        }
    }

    @Test("what was deleted or replaced under an open store is noticed before the next write")
    func noticesAnotherFile() async throws {
        try await TestDatabase.withStore(.sqlite) { store, database in
            _ = try await store.write([.sample(1)], keeping: .all)
            try FileManager.default.moveItem(atPath: database.path, toPath: "\(database.path).old")
            #expect(
                try await storeErrorCode { _ = try await store.write([.sample(2)], keeping: .all) } == .notSetUp
            )
            let other = try database.open()
            _ = try await other.setUp()
            #expect(try await store.write([.sample(2)], keeping: .all).written == 1)
            #expect(try await other.rows("SELECT id FROM messages").rows == [["2"]])
            await other.close()
        }
    }

    @Test("a folder that is there keeps its mode, and holds no file before the setup")
    func leavesFoldersAlone() async throws {
        try await TestDatabase.with(.sqlite) { database in
            let root = URL(filePath: database.path).deletingLastPathComponent().path
            try FileManager.default.setAttributes([.posixPermissions: 0o751], ofItemAtPath: root)
            let store = try database.open()
            #expect(try await storeErrorCode { try await store.checkReady() } == .notSetUp)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root).isEmpty)
            _ = try await store.setUp()
            await store.close()
            #expect(try Self.mode(root) == 0o751)
        }
    }

    @Test("a folder that cannot be made is said to be so")
    func reportsFolder() async throws {
        try await TestDatabase.with(.sqlite) { database in
            try Data("in the way".utf8).write(to: URL(filePath: database.path))
            let blocked = TestDatabase(kind: .sqlite, url: "sqlite:\(database.path)/inner/test.db")
            let store = try blocked.open()
            let error = await #expect(throws: StoreError.self) { _ = try await store.setUp() }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("\(database.path)/inner: Not a directory") == true)
            await store.close()
        }
    }

    @Test("a relative path counts from the working directory, and nothing is made for what is there")
    func takesRelativePaths() throws {
        let name = "\(UUID()).db"
        for path in [name, "./\(name)", "/\(name)", "//tmp//\(name)"] {
            #expect(throws: Never.self) { try SQLiteFile(path: path).makeFolder() }
            #expect(!SQLiteFile(path: path).exists)
        }
        #expect(SQLiteFile(path: "/").exists)
    }

    private static func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
}

extension TestDatabase {
    fileprivate var path: String { String(url.dropFirst("sqlite:".count)) }
}
