import Messaging
import Model

extension WorkerContext {
    /// Runs `body`, but no longer than `grace` past the request to drain: what waits for a server that is away must
    /// not hold up the stop.
    ///
    /// - Parameters:
    ///   - service: the name of what `body` waits for, while that is away.
    ///   - patience: for how long the wait is a sign of life; see ``showingLife(for:waitingFor:_:)``.
    ///   - body: must end when its task is cancelled.
    /// - Returns: `nil` when it was cut off.
    func untilDrained<Result: Sendable>(
        grace: Duration = .zero,
        showingLifeFor patience: Duration? = nil,
        waitingFor service: @escaping @Sendable () -> String? = { nil },
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
        do {
            return try await showingLife(for: patience, waitingFor: service) {
                try await withTaskCancellationHandler {
                    try await work.value
                } onCancel: {
                    work.cancel()
                }
            }
        } catch is CancellationError where drain.isRequested {
            return nil
        } catch is ConsumerClosed where drain.isRequested {
            return nil
        }
    }

    /// Says that the work loop is alive while it waits in `body`: waiting for a service that is away is not hanging.
    ///
    /// - Parameters:
    ///   - patience: for how long, where the wait has an end; what goes on after that hangs.
    ///   - service: the name of what `body` waits for, while that is away.
    func showingLife<Result>(
        for patience: Duration? = nil,
        waitingFor service: @escaping @Sendable () -> String? = { nil },
        _ body: () async throws -> Result
    ) async throws -> Result {
        let pulse = Task { [turn] in
            let end = patience.map { ContinuousClock.now + $0 }
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                if let end, end < .now { return }
                turn(service())
            }
        }
        defer { pulse.cancel() }
        return try await body()
    }

    /// Waits for `duration`, but no longer than until the process drains, and shows life meanwhile. True when the time
    /// passed undisturbed.
    func rest(for duration: Duration) async -> Bool {
        (try? await showingLife { await drain.sleep(for: duration) }) ?? false
    }

    /// Runs a work loop on `consumer`: waits until it consumes, says ready, and stops it when the process drains, so
    /// that the loop ends once what is buffered is finished.
    func consuming(_ consumer: Consumer, _ loop: () async throws -> Void) async throws {
        let stopping = Task { [drain] in
            await drain.wait()
            // What is buffered is finished: handing it back would count as another delivery of it.
            await consumer.stop(returningUnread: false)
        }
        let watching = Task { [services] in await services.watch(.broker) { consumer.isConnected } }
        defer {
            stopping.cancel()
            watching.cancel()
        }
        consumer.resume()
        guard try await untilDrained({ try await consumer.waitUntilConsuming() }) != nil else { return }
        control.say(.ready)
        try await loop()
        await consumer.close()
    }
}
