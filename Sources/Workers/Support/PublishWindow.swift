import Messaging
import Synchronization

/// What a worker has acted on and published and the broker has not confirmed yet, while the worker acts on what comes
/// next: a confirm takes longer than most work, and the work of many deliveries fits into the wait for one.
///
/// A delivery is acknowledged when all that came of it is confirmed, whatever becomes of those before and after it: no
/// stage behind depends on their order, since a message's version decides in the tables what replaces what. A worker
/// that is killed has acknowledged nothing of what is in its window, so all of that comes again.
final class PublishWindow: Sendable {
    typealias Group = ThrowingDiscardingTaskGroup<any Error>

    /// The prefetch bounds the deliveries; this bounds, beside it, the bytes of what came of them.
    private static let maximumBytes = 8 << 20

    private struct State {
        var deliveries = 0
        var bytes = 0
        var settled = 0
        var isClosed = false
        /// The work loop, while there is no room.
        var waiter: CheckedContinuation<Void, Never>?

        mutating func takeWaiter(if isReady: (State) -> Bool) -> CheckedContinuation<Void, Never>? {
            guard isReady(self) else { return nil }
            defer { waiter = nil }
            return waiter
        }
    }

    private let state = Mutex(State())
    private let publishing: ConfirmedPublishing
    private let consumer: Consumer
    private var context: WorkerContext { publishing.context }

    init(_ publishing: ConfirmedPublishing, acknowledgingTo consumer: Consumer) {
        self.publishing = publishing
        self.consumer = consumer
    }

    var isEmpty: Bool { state.withLock { $0.deliveries == 0 } }

    /// Of no more use: a publish failed for good, or the process drains and the broker confirms nothing.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Runs a work loop, and returns when it has ended and all it published is confirmed. When the process drains and
    /// the broker does not answer, what is unconfirmed is given up unacknowledged.
    func whileOpen(_ loop: (inout Group) async throws -> Void) async throws {
        let pulse = Task {
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                // The loop speaks for itself while nothing is on its way.
                if !isEmpty { context.turn(publishing.publisher.isHeldUp ? "the broker" : nil) }
            }
        }
        let end = Task { try await closeWhenDrainStalls() }
        defer {
            pulse.cancel()
            end.cancel()
        }
        try await withThrowingDiscardingTaskGroup { try await loop(&$0) }
    }

    /// Publishes what came of a delivery and acknowledges the delivery once that is confirmed. Returns before it is,
    /// but not before there is room.
    ///
    /// - Parameter messages: units of work for the heartbeat.
    func publish(_ outgoing: [OutgoingMessage], of delivery: Delivery, messages: Int, in group: inout Group) async {
        let bytes = outgoing.reduce(delivery.body.count) { $0 + $1.body.count }
        await enter(bytes)
        group.addTask { [self] in
            defer { leave(bytes) }
            do {
                guard try await publishing.publishAmongOthers(outgoing) else { return close() }
            } catch {
                close()
                throw error
            }
            consumer.acknowledge(delivery)
            context.control.beat(done: messages)
        }
    }

    private func enter(_ bytes: Int) async {
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                state.deliveries += 1
                state.bytes += bytes
                context.control.hold(state.deliveries)
                if state.isClosed || state.deliveries == 1 || state.bytes <= Self.maximumBytes { return true }
                state.waiter = continuation
                return false
            }
            if hasRoom { continuation.resume() }
        }
    }

    private func leave(_ bytes: Int) {
        let waiter = state.withLock { state in
            state.deliveries -= 1
            state.bytes -= bytes
            state.settled += 1
            context.control.hold(state.deliveries)
            return state.takeWaiter { $0.deliveries <= 1 || $0.bytes <= Self.maximumBytes }
        }
        waiter?.resume()
    }

    private func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            return state.takeWaiter { _ in true }
        }
        waiter?.resume()
    }

    /// What is in hand is finished after the request to drain as long as the broker confirms some of it.
    private func closeWhenDrainStalls() async throws {
        await context.drain.wait()
        guard context.drain.isRequested else { return }
        var settled: Int
        repeat {
            settled = state.withLock { $0.settled }
            try await Task.sleep(for: ConfirmedPublishing.grace)
        } while state.withLock { $0.deliveries == 0 || $0.settled != settled }
        close()
        await publishing.publisher.close()
    }
}
