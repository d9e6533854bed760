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
        let reading = Task { try await self.next() }
        let timer = Task {
            try await Task.sleep(for: duration)
            reading.cancel()
        }
        defer { timer.cancel() }
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
