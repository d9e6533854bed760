package import Messaging
import Model

/// Publishes for a command: waits while the broker is away or a queue is full, and fails where no queue takes a message.
package struct OperatorPublishing {
    private let publisher: Publisher

    package init(publisher: Publisher) {
        self.publisher = publisher
    }

    /// Returns once every message is confirmed, or returned since no queue is bound for it.
    ///
    /// - Parameter waiting: told once, when a queue is full.
    /// - Returns: the places of those that no queue took.
    package func publish(_ messages: [OutgoingMessage], waiting: () -> Void = {}) async throws -> Set<Int> {
        var open = Array(messages.indices)
        var homeless: Set<Int> = []
        var backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(5))
        while true {
            let results = try await publisher.publish(open.map { messages[$0] })
            var refused: [Int] = []
            for (place, result) in zip(open, results) {
                switch result {
                case .confirmed: break
                case .refused: refused.append(place)
                case .returned: homeless.insert(place)
                }
            }
            guard !refused.isEmpty else { return homeless }
            if backoff.attempts == 0 { waiting() }
            open = refused
            try await Task.sleep(for: backoff.next())
        }
    }
}
