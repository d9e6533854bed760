import Synchronization

/// What stands between a consumer's thread and the tasks that read from it: buffered deliveries and waiting tasks.
final class ConsumerInbox: Sendable {
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
                state.withLock { state in
                    if id.isCancelled {
                        continuation.resume(throwing: CancellationError())
                    } else if (!state.isPaused || state.isStopped), let delivery = state.takeFirst() {
                        continuation.resume(returning: delivery)
                    } else if state.isStopped {
                        continuation.resume(returning: nil)
                    } else {
                        state.readers.add(id, continuation)
                    }
                }
            }
        } onCancel: {
            state.withLock { $0.readers.cancel(id) }
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
                state.withLock { state in
                    if id.isCancelled {
                        continuation.resume(throwing: CancellationError())
                    } else if state.isStopped {
                        continuation.resume(throwing: ConsumerClosed())
                    } else if state.isConsuming {
                        continuation.resume()
                    } else {
                        state.starters.add(id, continuation)
                    }
                }
            }
        } onCancel: {
            state.withLock { $0.starters.cancel(id) }
        }
    }

    // MARK: From the thread

    func add(_ delivery: Delivery) {
        state.withLock { state in
            if !state.isPaused, let reader = state.readers.removeFirst() {
                reader.resume(returning: delivery)
            } else {
                state.buffer.append(delivery)
            }
        }
    }

    func setConnected(_ isConnected: Bool) {
        state.withLock { $0.isConnected = isConnected }
    }

    func setConsuming(_ isConsuming: Bool) {
        state.withLock { state in
            state.isConsuming = isConsuming
            guard isConsuming else { return }
            while let starter = state.starters.removeFirst() { starter.resume() }
        }
    }

    /// Takes what is unread: its connection is gone, or it has to go back.
    func takeUnread() -> [Delivery] {
        state.withLock { $0.takeAll() }
    }

    // MARK: From the owner

    /// - Returns: whether that changed anything.
    func setPaused(_ isPaused: Bool) -> Bool {
        state.withLock { state in
            guard state.isPaused != isPaused, !state.isStopped else { return false }
            state.isPaused = isPaused
            guard !isPaused else { return true }
            while state.unread > 0, let reader = state.readers.removeFirst() {
                reader.resume(returning: state.takeFirst())
            }
            return true
        }
    }

    /// - Returns: what was unread, if it is to be taken.
    func stop(takingUnread: Bool) -> [Delivery] {
        state.withLock { state in
            state.isStopped = true
            state.isConsuming = false
            while let starter = state.starters.removeFirst() { starter.resume(throwing: ConsumerClosed()) }
            let taken = takingUnread ? state.takeAll() : []
            while let reader = state.readers.removeFirst() { reader.resume(returning: state.takeFirst()) }
            return taken
        }
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

/// Tasks that wait for a value, first come, first served. To be used under one lock.
struct WaitingTasks<Value: Sendable> {
    private var waiting: [(id: WaitingTaskID, continuation: CheckedContinuation<Value, any Error>)] = []

    mutating func add(_ id: WaitingTaskID, _ continuation: CheckedContinuation<Value, any Error>) {
        waiting.append((id, continuation))
    }

    mutating func removeFirst() -> CheckedContinuation<Value, any Error>? {
        waiting.isEmpty ? nil : waiting.removeFirst().continuation
    }

    mutating func cancel(_ id: WaitingTaskID) {
        id.cancel()
        guard let index = waiting.firstIndex(where: { $0.id === id }) else { return }
        waiting.remove(at: index).continuation.resume(throwing: CancellationError())
    }
}
