/// Growing waits between attempts, with jitter, so that many who failed together do not return together.
///
/// A plain value: the caller passes in the random number and does the waiting.
package struct Backoff: Sendable, Equatable, Codable {
    package var initial: Duration
    package var factor: Double
    package var maximum: Duration
    /// The share by which a wait may be longer or shorter: 0.2 is ±20 %.
    package var jitter: Double

    package private(set) var attempts = 0

    package init(
        initial: Duration = .milliseconds(500),
        factor: Double = 2,
        maximum: Duration = .seconds(30),
        jitter: Double = 0.2
    ) {
        self.initial = initial
        self.factor = factor
        self.maximum = maximum
        self.jitter = jitter
    }

    /// The wait before the next attempt, and counts it.
    ///
    /// - Parameter random: evenly spread over 0..<1.
    package mutating func next(random: Double = .random(in: 0..<1)) -> Duration {
        var wait = initial
        for _ in 0..<min(attempts, 64) where wait < maximum { wait = wait * factor }
        attempts += 1
        return min(wait, maximum) * (1 + jitter * (2 * random - 1))
    }

    /// Forgets earlier attempts, after a success that lasted.
    package mutating func reset() {
        attempts = 0
    }

    private enum CodingKeys: CodingKey { case initial, factor, maximum, jitter }
}
