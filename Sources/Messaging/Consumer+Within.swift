/// What ``Consumer/next(within:)`` found.
package enum Received: Sendable {
    case delivery(Delivery)
    /// Nothing came in time; a work loop shows that it is alive and asks again.
    case idle
}

extension Consumer {
    /// As ``next()``, but waits no longer than `duration`.
    ///
    /// - Returns: `nil` once the consumer is stopped and nothing is buffered.
    /// - Throws: `CancellationError` when the calling task is cancelled.
    package func next(within duration: Duration) async throws -> Received? {
        try await next { try? await Task.sleep(for: duration) }
    }

    /// As ``next()``, but waits no longer than until `end` returns, which is cancelled when a delivery comes first.
    ///
    /// - Returns: `nil` once the consumer is stopped and nothing is buffered.
    /// - Throws: `CancellationError` when the calling task is cancelled.
    package func next(before end: @escaping @Sendable () async -> Void) async throws -> Received? {
        // Under load there is mostly something here, and the two tasks are spared.
        if let delivery = takeBuffered() { return .delivery(delivery) }
        let reading = Task { try await self.next() }
        let waiting = Task {
            await end()
            reading.cancel()
        }
        defer { waiting.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await reading.value.map { .delivery($0) }
            } onCancel: {
                reading.cancel()
            }
        } catch is CancellationError {
            if Task.isCancelled { throw CancellationError() }
            return .idle
        }
    }
}
