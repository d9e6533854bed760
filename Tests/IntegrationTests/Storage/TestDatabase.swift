import Foundation
import Logging
import Model
import TestSupport
import Testing

@testable import Storage

enum DatabaseKind: String, CaseIterable, CustomTestStringConvertible {
    case sqlite, postgres

    /// Those that can be tried here; a server that is required and missing fails the test that wants it.
    static let available: [DatabaseKind] = DatabaseServers.runsPostgresTests ? allCases : [.sqlite]

    var testDescription: String { rawValue }
}

/// A database of a test's own: a schema on the test server, or a file in a temporary folder.
struct TestDatabase {
    let kind: DatabaseKind
    let url: String

    struct MissingServer: Error, CustomStringConvertible {
        var description: String { DatabaseServers.missingPostgres }
    }

    /// Runs `body` with a new, empty database and takes it away afterwards.
    static func with(_ kind: DatabaseKind, _ body: (TestDatabase) async throws -> Void) async throws {
        let name = "test_" + UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: "")
        switch kind {
        case .sqlite:
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            try await body(TestDatabase(kind: kind, url: "sqlite:\(folder.path)/test.db"))
        case .postgres:
            guard let server = DatabaseServers.postgresURL else { throw MissingServer() }
            let administrator = TestDatabase(kind: kind, url: server)
            try await administrator.execute("CREATE SCHEMA \(name)")
            let result = await Result {
                try await body(TestDatabase(kind: kind, url: DatabaseServers.url(server, schema: name)))
            }
            try await administrator.execute("DROP SCHEMA \(name) CASCADE")
            try result.get()
        }
    }

    /// As ``with(_:_:)``, with a store whose tables are set up.
    static func withStore(
        _ kind: DatabaseKind,
        _ schema: StoreSchema = .trading,
        _ body: (any Store, TestDatabase) async throws -> Void
    ) async throws {
        try await with(kind) { database in
            let store = try database.open(schema)
            _ = try await store.setUp()
            let result = await Result { try await body(store, database) }
            await store.close()
            try result.get()
        }
    }

    func open(_ schema: StoreSchema = .trading, name: String = "test") throws -> any Store {
        try openStore(url, schema: schema, name: name, logger: Logger(label: "test"))
    }

    /// Runs SQL that the protocol has no method for, making the SQLite file where there is none.
    func execute(_ sql: String) async throws {
        let store = try open()
        switch store {
        case let store as DatabaseStore<PostgresEngine>: try await store.execute(sql)
        case let store as DatabaseStore<SQLiteEngine>: try await store.execute(sql)
        default: Issue.record("no engine of ours: \(store)")
        }
        await store.close()
    }

    /// A time as fixed-width ISO 8601, on either database.
    func iso(_ column: String) -> String {
        kind == .sqlite ? column : "to_char(\(column), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    }
}

extension DatabaseStore {
    fileprivate func execute(_ sql: String) throws {
        try engine.transaction(.setUp) { try $0.execute(sql) }
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

extension RecordType {
    static let signal = RecordType(
        name: "trading_signal",
        fields: [
            FieldType(name: "ticker", kind: .text, required: true),
            FieldType(name: "side", kind: .enum, values: ["long", "short"]),
            FieldType(name: "entry_price", kind: .decimal), FieldType(name: "leverage", kind: .integer),
            FieldType(name: "urgent", kind: .boolean), FieldType(name: "valid_until", kind: .timestamp),
            FieldType(name: "extra", kind: .json),
        ],
        lists: [
            ListType(
                name: "trading_stops",
                fields: [FieldType(name: "type", kind: .enum), FieldType(name: "price", kind: .decimal)]
            )
        ]
    )

    static let deploy = RecordType(name: "deploy", fields: [FieldType(name: "version", kind: .text)])
}

extension StoreSchema {
    static let trading = StoreSchema(pipeline: "trading-desk", records: [.signal, .deploy])
}

extension Timestamp {
    static let noon = Timestamp(iso8601: "2026-11-22T12:00:00Z")!

    func later(bySeconds seconds: Int64) -> Timestamp { Timestamp(microseconds: microseconds + seconds * 1_000_000) }
}

extension Message {
    /// A message as Discord would have sent it, read from its JSON.
    static func sample(
        _ id: UInt64,
        content: String = "hello",
        sentAt: Timestamp = .noon,
        editedAt: Timestamp? = nil,
        guild: UInt64? = nil
    ) throws -> Message {
        var writer = JSONWriter()
        writer.object { json in
            json.key("id")
            json.value("\(id)")
            json.key("channel_id")
            json.value("42")
            if let guild {
                json.key("guild_id")
                json.value("\(guild)")
            }
            json.key("author")
            json.object { author in
                author.key("id")
                author.value("7")
                author.key("username")
                author.value("finch")
            }
            json.key("type")
            json.value(0)
            json.key("timestamp")
            json.value(sentAt.iso8601)
            if let editedAt {
                json.key("edited_timestamp")
                json.value(editedAt.iso8601)
            }
            json.key("content")
            json.value(content)
        }
        return try Message(JSONDocument(writer.bytes).root)
    }
}

extension ParsedMessage {
    /// A parsed message with signals, or an unmatched one without any.
    static func sample(
        _ id: UInt64,
        content: String = "hello",
        sentAt: Timestamp = .noon,
        editedAt: Timestamp? = nil,
        revision: Int64 = 0,
        records: [Record] = []
    ) throws -> ParsedMessage {
        ParsedMessage(
            message: try .sample(id, content: content, sentAt: sentAt, editedAt: editedAt),
            outcome: records.isEmpty ? .unmatched : .parsed,
            parser: records.isEmpty ? nil : "signals",
            parserVersion: records.isEmpty ? nil : "abc123",
            source: records.isEmpty ? nil : .rule,
            records: records,
            revision: revision
        )
    }
}

extension Record {
    static func signal(_ ticker: String, stops: [String] = []) -> Record {
        Record(
            type: "trading_signal",
            fields: [NamedValue("ticker", .text(ticker)), NamedValue("side", .text("long"))],
            lists: stops.isEmpty
                ? []
                : [
                    NamedList(
                        "trading_stops",
                        stops.map {
                            [NamedValue("type", .text("stop_loss")), NamedValue("price", .decimal(ExactDecimal($0)!))]
                        }
                    )
                ]
        )
    }

    static func deploy(_ version: String) -> Record {
        Record(type: "deploy", fields: [NamedValue("version", .text(version))])
    }
}

/// The code of the ``StoreError`` that `body` throws.
func storeErrorCode(_ body: () async throws -> Void) async throws -> StoreError.Code? {
    do {
        try await body()
        return nil
    } catch let error as StoreError {
        return error.code
    }
}
