import Logging
import Messaging
import Model

/// The AMQP `type` of what travels here.
package enum WireType {
    package static let page = "message.page"
    package static let batch = "record.batch"
    package static let delete = "message.delete"
}

/// Publishes until the broker has confirmed: a full queue is waited for, because what is not confirmed must not be
/// acknowledged upstream.
struct ConfirmedPublishing {
    let context: WorkerContext
    let publisher: Publisher
    /// What is published in place of a message that its queue did not take, and how it did not; `nil` to wait until it
    /// does.
    var detour: @Sendable (OutgoingMessage, PublishResult) -> OutgoingMessage? = { _, _ in nil }

    /// How long a publish may still take once the process drains: enough for a broker that is there.
    static let grace: Duration = .seconds(2)

    /// Returns once every message is confirmed.
    ///
    /// - Returns: false when the process drains before that; nothing upstream may be acknowledged then.
    func publish(_ messages: [OutgoingMessage]) async throws -> Bool {
        try await publish(messages) { batch in
            try await context.untilDrained(
                grace: Self.grace,
                waitingFor: { [publisher] in publisher.isHeldUp ? "the broker" : nil }
            ) { try await publisher.publish(batch) }
        }
    }

    /// As ``publish(_:)``, for one of many at a time: the caller shows life, and closes the publisher to give up.
    func publishAmongOthers(_ messages: [OutgoingMessage]) async throws -> Bool {
        try await publish(messages) { batch in
            do {
                return try await publisher.publish(batch)
            } catch is PublisherClosed where context.drain.isRequested {
                return nil
            }
        }
    }

    /// - Parameter attempt: returns `nil` when it was given up because the process drains.
    private func publish(
        _ messages: [OutgoingMessage],
        by attempt: ([OutgoingMessage]) async throws -> [PublishResult]?
    ) async throws -> Bool {
        var open = messages
        var backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(5))
        while !open.isEmpty {
            guard let results = try await attempt(open) else { return false }
            var mustWait = false
            var next: [OutgoingMessage] = []
            for (message, result) in zip(open, results) {
                let instead = result == .confirmed ? nil : detour(message, result)
                switch result {
                case .confirmed: continue
                case .refused:
                    context.logger.warning(
                        instead == nil
                            ? "queue is full; waiting for room" : "queue is full; its messages come again later",
                        metadata: ["routing_key": "\(message.routingKey)"]
                    )
                case .returned(let code, let reason):
                    context.logger.error(
                        "no queue took the message; is the topology set up?",
                        metadata: ["routing_key": "\(message.routingKey)", "code": "\(code)", "reason": "\(reason)"]
                    )
                    context.repairTopology(because: "no queue took a message for \(message.routingKey)")
                }
                next.append(instead ?? message)
                mustWait = mustWait || instead == nil
            }
            open = next
            guard mustWait else { continue }
            context.turn("room in the queue")
            guard await context.drain.sleep(for: backoff.next()) else { return false }
        }
        return true
    }
}
