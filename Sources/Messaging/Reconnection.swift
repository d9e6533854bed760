import Logging
import Model

/// When to try again, and what the log says of it: the loss once, the recovery once.
struct Reconnection {
    /// A connection that lasts less than this does not end the growth of the waits.
    static let stableAfter: Duration = .seconds(5)

    private var backoff = Backoff(initial: .milliseconds(250), factor: 2, maximum: .seconds(10), jitter: 0.3)
    private var openedAt: ContinuousClock.Instant?
    private var hasReported = false
    private var logger: Logger

    /// - Parameter name: the connection's.
    init(_ address: BrokerAddress, name: String, logger: Logger) {
        self.logger = logger
        self.logger[metadataKey: "broker"] = "\(address.redacted)"
        self.logger[metadataKey: "connection"] = "\(name)"
    }

    /// To be called when the connection does its work; again does no harm.
    mutating func opened() {
        guard openedAt == nil else { return }
        openedAt = .now
        if hasReported {
            logger.notice("connected to the broker again")
            hasReported = false
        }
    }

    /// - Returns: how long to wait before the next attempt.
    mutating func lost(_ error: any Error) -> Duration {
        if let openedAt, ContinuousClock.now - openedAt >= Self.stableAfter { backoff.reset() }
        if !hasReported {
            hasReported = true
            logger.warning(
                "no connection to the broker; trying again until there is one",
                metadata: ["reason": "\(error)", "had_connection": "\(openedAt != nil)"]
            )
        } else {
            logger.debug("still no connection to the broker", metadata: ["reason": "\(error)"])
        }
        openedAt = nil
        return backoff.next()
    }
}
