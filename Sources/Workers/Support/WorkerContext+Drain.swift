import Messaging
import Model

extension WorkerContext {
    /// Runs `body`, but no longer than `grace` past the request to drain: what waits for a server that is away must
    /// not hold up the stop.
    ///
    /// - Parameter body: must end when its task is cancelled.
    /// - Returns: `nil` when it was cut off.
    func untilDrained<Result: Sendable>(
        grace: Duration = .zero,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result? {
        let work = Task { try await body() }
        let watch = Task { [drain] in
            await drain.wait()
            guard drain.isRequested else { return }
            if grace > .zero { try await Task.sleep(for: grace) }
            work.cancel()
        }
        defer { watch.cancel() }
        // Waiting for a service that is away is not hanging: the loop that waits here says that it is alive.
        let pulse = Task { [control] in
            while (try? await Task.sleep(for: .seconds(1))) != nil { control.beat() }
        }
        defer { pulse.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await work.value
            } onCancel: {
                work.cancel()
            }
        } catch is CancellationError where drain.isRequested {
            return nil
        } catch is ConsumerClosed where drain.isRequested {
            return nil
        }
    }
}
