import Synchronization

/// What stands between a consumer's thread and the tasks that read from it: buffered deliveries and waiting tasks.
///
/// No task is resumed under the lock: to resume takes a lock of the task, and a cancelled task's handler holds that one while
/// it asks for ours (`withTaskCancellationHandler(operation:onCancel:isolation:)` says so).
final class ConsumerInbox: Sendable {
    private typealias Served = (reader: CheckedContinuation<Delivery?, any Error>, delivery: Delivery?)

    private struct State {
        var buffer: [Delivery] = []
        var head = 0
        var readers = WaitingTasks<Delivery?>()
        var starters = WaitingTasks<Void>()
        var isConnected = false
        var isConsuming = false
        var isPaused = false
        var isStopped = false

        var unread: Int { buffer.count - head }

        mutating func takeFirst() -> Delivery? {
            guard head < buffer.count else { return nil }
            defer {
                head += 1
                if head == buffer.count {
                    buffer.removeAll(keepingCapacity: true)
                    head = 0
                }
            }
            return buffer[head]
        }

        /// Takes as many deliveries as there are readers for them.
        mutating func serve() -> [Served] {
            var served: [Served] = []
            while unread > 0, let reader = readers.removeFirst() { served.append((reader, takeFirst())) }
            return served
        }

        mutating func takeAll() -> [Delivery] {
            defer {
                buffer = []
                head = 0
            }
            return Array(buffer[head...])
        }
    }

    private let state = Mutex(State())

    var isConnected: Bool { state.withLock { $0.isConnected } }
    var isPaused: Bool { state.withLock { $0.isPaused } }

    func next() async throws -> Delivery? {
        let id = WaitingTaskID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Delivery?, any Error>? = state.withLock { state in
                    if id.isCancelled { return .failure(CancellationError()) }
                    if !state.isPaused || state.isStopped, let delivery = state.takeFirst() {
                        return .success(delivery)
                    }
                    if state.isStopped { return .success(nil) }
                    state.readers.add(id, continuation)
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            state.withLock { $0.readers.cancel(id) }?.resume(throwing: CancellationError())
        }
    }

    /// What ``next()`` would return without a wait.
    func takeBuffered() -> Delivery? {
        state.withLock { !$0.isPaused || $0.isStopped ? $0.takeFirst() : nil }
    }

    func waitUntilConsuming() async throws {
        let id = WaitingTaskID()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if id.isCancelled { return .failure(CancellationError()) }
                    if state.isStopped { return .failure(ConsumerClosed()) }
                    if state.isConsuming { return .success(()) }
                    state.starters.add(id, continuation)
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            state.withLock { $0.starters.cancel(id) }?.resume(throwing: CancellationError())
        }
    }

    // MARK: From the thread

    func add(_ delivery: Delivery) {
        let reader = state.withLock { state in
            let reader = state.isPaused ? nil : state.readers.removeFirst()
            if reader == nil { state.buffer.append(delivery) }
            return reader
        }
        reader?.resume(returning: delivery)
    }

    func setConnected(_ isConnected: Bool) {
        state.withLock { $0.isConnected = isConnected }
    }

    func setConsuming(_ isConsuming: Bool) {
        let starters = state.withLock { state in
            state.isConsuming = isConsuming
            return isConsuming ? state.starters.removeAll() : []
        }
        for starter in starters { starter.resume() }
    }

    /// Takes what is unread: its connection is gone, or it has to go back.
    func takeUnread() -> [Delivery] {
        state.withLock { $0.takeAll() }
    }

    // MARK: From the owner

    /// - Returns: whether that changed anything.
    func setPaused(_ isPaused: Bool) -> Bool {
        let (isChanged, served) = state.withLock { state in
            guard state.isPaused != isPaused, !state.isStopped else { return (false, [Served]()) }
            state.isPaused = isPaused
            return (true, isPaused ? [] : state.serve())
        }
        for (reader, delivery) in served { reader.resume(returning: delivery) }
        return isChanged
    }

    /// - Returns: what was unread, if it is to be taken.
    func stop(takingUnread: Bool) -> [Delivery] {
        let (taken, served, readers, starters) = state.withLock { state in
            state.isStopped = true
            state.isConsuming = false
            let taken = takingUnread ? state.takeAll() : []
            return (taken, state.serve(), state.readers.removeAll(), state.starters.removeAll())
        }
        for starter in starters { starter.resume(throwing: ConsumerClosed()) }
        for (reader, delivery) in served { reader.resume(returning: delivery) }
        for reader in readers { reader.resume(returning: nil) }
        return taken
    }

    /// Ends every wait; what is unread is dropped, since closing the connection returns it.
    func finish() {
        _ = stop(takingUnread: true)
    }
}

/// One wait of one task. Its cancellation may come before the wait itself, and is noted here.
final class WaitingTaskID: Sendable {
    private let flag = Atomic(false)

    var isCancelled: Bool { flag.load(ordering: .relaxed) }

    fileprivate func cancel() {
        flag.store(true, ordering: .relaxed)
    }
}

/// Tasks that wait for a value, first come, first served. To be used under one lock, and what it returns resumed without it.
struct WaitingTasks<Value: Sendable> {
    private var waiting: [(id: WaitingTaskID, continuation: CheckedContinuation<Value, any Error>)] = []

    mutating func add(_ id: WaitingTaskID, _ continuation: CheckedContinuation<Value, any Error>) {
        waiting.append((id, continuation))
    }

    mutating func removeFirst() -> CheckedContinuation<Value, any Error>? {
        waiting.isEmpty ? nil : waiting.removeFirst().continuation
    }

    mutating func removeAll() -> [CheckedContinuation<Value, any Error>] {
        defer { waiting = [] }
        return waiting.map(\.continuation)
    }

    /// - Returns: the task to be resumed, if it waits already.
    mutating func cancel(_ id: WaitingTaskID) -> CheckedContinuation<Value, any Error>? {
        id.cancel()
        guard let index = waiting.firstIndex(where: { $0.id === id }) else { return nil }
        return waiting.remove(at: index).continuation
    }
}
