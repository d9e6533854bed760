import Model
import PipelineFile
import Storage
import Synchronization

/// The store in use with what it knows of the pipeline, and what takes its place before the next transaction.
final class StoreShelf: Sendable {
    struct Content: Sendable {
        var store: any Store
        var records: [RecordType]
        var channels: [Pipeline.Channel]
        /// Tells stores apart: a new one only where the record types changed.
        fileprivate var storeNumber = 0

        var types: [String: RecordType] { Dictionary(uniqueKeysWithValues: records.map { ($0.name, $0) }) }

        init(store: any Store, of pipeline: Pipeline) {
            self.store = store
            records = pipeline.records
            channels = pipeline.channels
        }
    }

    private struct State {
        var current: Content
        var next: Content?
        var replaced: [any Store] = []
    }

    private let state: Mutex<State>

    init(_ content: Content) { state = Mutex(State(current: content)) }

    var current: Content { state.withLock { $0.current } }

    /// Whether ``take()`` would give another than ``current``, and close that.
    var hasNext: Bool { state.withLock { $0.next != nil } }

    /// What the next transaction is made with. What it replaces is closed: nothing may be written with that any more.
    func take() async -> Content {
        let (content, replaced) = state.withLock { state in
            if let next = state.next {
                if next.storeNumber != state.current.storeNumber { state.replaced.append(state.current.store) }
                state.current = next
                state.next = nil
            }
            defer { state.replaced = [] }
            return (state.current, state.replaced)
        }
        for store in replaced { await store.close() }
        return content
    }

    /// A record type or a channel that is no longer declared stays known: what concerns it may be on its way, and its
    /// tables stay.
    ///
    /// - Parameter open: opens a store that knows these record types.
    func put(_ pipeline: Pipeline, _ open: ([RecordType]) throws -> any Store) rethrows {
        let known = state.withLock { $0.next ?? $0.current }
        var content = known
        let names = Set(pipeline.records.map(\.name))
        content.records = pipeline.records + known.records.filter { !names.contains($0.name) }
        let ids = Set(pipeline.channels.map(\.id))
        content.channels = pipeline.channels + known.channels.filter { !ids.contains($0.id) }
        if content.records != known.records {
            content.store = try open(content.records)
            content.storeNumber += 1
        }
        state.withLock { state in
            if let next = state.next, next.storeNumber != content.storeNumber,
                next.storeNumber != state.current.storeNumber
            {
                state.replaced.append(next.store)
            }
            state.next = content
        }
    }

    func close() async {
        let stores = state.withLock { state in
            let unused = state.next.flatMap { $0.storeNumber == state.current.storeNumber ? nil : $0.store }
            return [state.current.store] + [unused].compactMap { $0 } + state.replaced
        }
        for store in stores { await store.close() }
    }
}
