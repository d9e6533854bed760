/// Tells when a consumer to which nothing comes is one that the broker has forgotten.
///
/// Seen on RabbitMQ 3.10: a quorum queue that is deleted and declared again at once keeps the consumer of the deleted one,
/// counts it, and never serves it. So after some silence somebody looks into the queues, and messages that wait there twice
/// in a row while nothing is in hand are proof. What such a queue takes for delivered (as many as the prefetch, at first
/// one) is not seen: it comes with the new connection, once another message waits.
struct IdleWatch {
    private static let silence: Duration = .seconds(20)
    /// A message that came just now is on its way.
    private static let confirmation: Duration = .seconds(5)

    private var next: ContinuousClock.Instant
    private var isDoubtful = false

    init(at now: ContinuousClock.Instant) {
        next = now + Self.silence
    }

    /// To be called when something came, is in hand, or nothing is to come.
    mutating func busy(at now: ContinuousClock.Instant) {
        self = IdleWatch(at: now)
    }

    func isDue(at now: ContinuousClock.Instant) -> Bool { next <= now }

    /// - Parameter somethingWaits: whether a queue holds messages that nobody has in hand.
    /// - Returns: whether the consumer is forgotten.
    mutating func looked(somethingWaits: Bool, at now: ContinuousClock.Instant) -> Bool {
        defer {
            isDoubtful = somethingWaits
            next = now + (somethingWaits ? Self.confirmation : Self.silence)
        }
        return somethingWaits && isDoubtful
    }
}
