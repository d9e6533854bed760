package import Logging
import Synchronization

/// Consumes one or more queues over a connection of its own, which it opens at once and keeps until it is closed: when
/// the connection breaks, it is opened anew with growing, jittered waits, and the broker hands out again what was not
/// acknowledged.
///
/// A queue is first consumed with a prefetch of 1, so that a message which kills its worker is alone in hand, and with
/// the full prefetch as soon as a delivery comes that was never handed out before.
///
/// Every way in which a quorum queue takes a delivery back, requeueing included, counts as a delivery
/// (``Delivery/deliveryCount``). So ``pause()`` keeps what is unread, and ``stop(returningUnread:)`` can.
package final class Consumer: Sendable {
    private let thread: ConsumerThread

    /// - Parameters:
    ///   - prefetch: how many unacknowledged deliveries each queue hands out.
    ///   - name: shown in the broker's lists of connections and consumers, and in log lines.
    ///   - largestBody: bytes; a larger message is rejected unread, so that it goes to the dead queue of its stage.
    ///   - onMissing: told, each time, that there is no such queue, and why that is known. The connection is opened anew
    ///     meanwhile.
    package init(
        address: BrokerAddress,
        queues: [String],
        prefetch: Int = 16,
        name: String,
        logger: Logger,
        largestBody: Int = .max,
        onMissing: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        thread = ConsumerThread(
            address: address,
            queues: queues,
            prefetch: prefetch,
            name: name,
            logger: logger,
            largestBody: largestBody,
            onMissing: onMissing
        )
        thread.start()
    }

    deinit {
        thread.inbox.finish()
        thread.mailbox.send(.close(nil))
    }

    package var isConnected: Bool { thread.inbox.isConnected }

    /// Returns once the broker has accepted the consumers of all queues.
    ///
    /// - Throws: ``ConsumerClosed``, or `CancellationError`.
    package func waitUntilConsuming() async throws { try await thread.inbox.waitUntilConsuming() }

    /// The next delivery; waits for one. `nil` once the consumer is stopped and nothing is buffered.
    ///
    /// - Throws: `CancellationError`.
    package func next() async throws -> Delivery? { try await thread.inbox.next() }

    /// The next delivery if one is here already; never waits.
    package func takeBuffered() -> Delivery? { thread.inbox.takeBuffered() }

    /// Takes a delivery off its queue for good. Nothing happens when its connection is gone: it will come again.
    package func acknowledge(_ delivery: Delivery) {
        acknowledge([delivery])
    }

    package func acknowledge(_ deliveries: [Delivery]) {
        thread.mailbox.send(.acknowledge(deliveries.map(Receipt.init)))
    }

    /// Sends a delivery to the dead queue of its stage.
    package func reject(_ delivery: Delivery) {
        thread.mailbox.send(.reject(Receipt(delivery)))
    }

    /// Stops taking new deliveries, for an open breaker; ``next()`` waits until ``resume()``. What is buffered stays
    /// here unread, and goes back to its queue only when the pause outlasts ``parkingLimit``.
    package func pause() {
        guard thread.inbox.setPaused(true) else { return }
        thread.mailbox.send(.pause)
    }

    /// Consumes again, beginning with what is buffered and a prefetch of 1.
    package func resume() {
        guard thread.inbox.setPaused(false) else { return }
        thread.mailbox.send(.resume)
    }

    /// RabbitMQ closes a channel whose delivery stays unacknowledged for 30 minutes.
    package static let parkingLimit: Duration = .seconds(600)

    /// Ends consuming for good and returns when the broker knows. Deliveries in hand can still be acknowledged.
    ///
    /// - Parameter returningUnread: whether what is buffered goes back to its queue at once, so that ``next()`` returns
    ///   `nil`, or is still to be had from ``next()``.
    package func stop(returningUnread: Bool = true) async {
        let unread = thread.inbox.stop(takingUnread: returningUnread)
        await withCheckedContinuation { continuation in
            if !thread.mailbox.send(.stop(unread.map(Receipt.init), continuation)) { continuation.resume() }
        }
    }

    /// Sends what was acknowledged and closes the connection; whatever is not acknowledged goes back to its queue.
    package func close() async {
        thread.inbox.finish()
        await withCheckedContinuation { continuation in
            if !thread.mailbox.send(.close(continuation)) { continuation.resume() }
        }
    }
}

/// What settles a delivery.
struct Receipt: Sendable, Equatable {
    let tag: UInt64
    let epoch: UInt64

    init(_ delivery: Delivery) {
        tag = delivery.tag
        epoch = delivery.epoch
    }
}
