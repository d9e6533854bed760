/// What went wrong between us and the broker. Never holds a secret.
package struct BrokerError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// No connection, or it broke; another attempt may succeed.
        case unavailable
        /// The broker refused the user, password or vhost.
        case accessRefused
        /// A queue or exchange exists with other properties than ours.
        case conflict
        /// The broker closed the channel or connection with this AMQP reply code.
        case closed(Int)
        /// The broker did not answer in time.
        case timeout
    }

    package let code: Code
    package let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    /// Whether a queue or an exchange is not there (404).
    var tellsOfMissing: Bool { code == .closed(404) }
}

/// Thrown by ``Publisher/publish(_:)`` once the publisher is closed.
package struct PublisherClosed: Error, Equatable, CustomStringConvertible {
    package var description: String { "the publisher is closed" }
}

/// Thrown by ``Consumer/waitUntilConsuming()`` once the consumer is stopped or closed.
package struct ConsumerClosed: Error, Equatable, CustomStringConvertible {
    package var description: String { "the consumer is stopped" }
}
