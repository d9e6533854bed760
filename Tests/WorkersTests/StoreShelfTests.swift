import Foundation
import Logging
import Model
import PipelineFile
import Storage
import TestSupport
import Testing

@testable import Workers

/// What a store and the record types are replaced by while a worker runs.
@Suite struct StoreShelfTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func pipeline(_ records: [String], channels: [Int] = [1]) throws -> Pipeline {
        let text = """
            name: test
            broker: { url: "amqp://127.0.0.1" }
            store: { url: "sqlite:rows.db" }
            discord: { token: x }
            channels: [\(channels.map { "{ name: c\($0), id: \"\($0)\" }" }.joined(separator: ", "))]
            records: { \(records.map { "\($0): { fields: { word: { type: text } } }" }.joined(separator: ", ")) }
            """
        let reading = PipelineReader.read(
            SourceFile(name: "pipeline.yaml", text: text),
            folder: folder.url.path,
            environment: [:],
            resolvingSecrets: true
        )
        return try #require(reading.pipeline, "\(reading.diagnostics.errors)")
    }

    private func open(_ records: [RecordType]) throws -> any Store {
        try openStore(
            "sqlite:\(folder.url.path)/rows.db",
            schema: StoreSchema(pipeline: "test", records: records),
            name: "test",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private func shelf(_ records: [String]) throws -> StoreShelf {
        let pipeline = try pipeline(records)
        return StoreShelf(StoreShelf.Content(store: try open(pipeline.records), of: pipeline))
    }

    @Test func aReloadOpensAStoreThatKnowsOldAndNewTypes() async throws {
        let shelf = try shelf(["a", "b"])
        let first = await shelf.take()
        _ = try await first.store.setUp()
        try shelf.put(try pipeline(["b", "c"], channels: [2])) { try open($0) }
        // What is under way ends with the store it began with.
        try await first.store.checkReady()
        #expect(shelf.current.records.map(\.name) == ["a", "b"])
        let next = await shelf.take()
        #expect(next.records.map(\.name) == ["b", "c", "a"])
        #expect(next.channels.map(\.id) == [Snowflake(2), Snowflake(1)])
        _ = try await next.store.setUp()
        try await next.store.checkReady()
        await #expect(throws: StoreError.self, "the one that was replaced is closed") {
            try await first.store.checkReady()
        }
        await shelf.close()
        await #expect(throws: StoreError.self) { try await next.store.checkReady() }
    }

    @Test func whatChangesNoTypeKeepsTheStore() async throws {
        let shelf = try shelf(["a"])
        _ = try await shelf.current.store.setUp()
        try shelf.put(try pipeline(["a"], channels: [1, 2])) { _ in
            Issue.record("opened another")
            return try open([])
        }
        let next = await shelf.take()
        #expect(next.channels.count == 2)
        try await next.store.checkReady()
        await shelf.close()
    }

    /// Two reloads before the worker comes to take the first.
    @Test func aStoreThatWasNeverTakenIsClosed() async throws {
        let shelf = try shelf(["a"])
        _ = try await shelf.current.store.setUp()
        var opened: [any Store] = []
        for records in [["a", "b"], ["a", "b", "c"]] {
            try shelf.put(try pipeline(records)) { types in
                let store = try open(types)
                opened.append(store)
                return store
            }
        }
        let next = await shelf.take()
        _ = try await next.store.setUp()
        #expect(opened.count == 2 && next.records.count == 3)
        await #expect(throws: StoreError.self) { try await opened[0].books() }
        try await opened[1].checkReady()
        await shelf.close()
    }
}
