/// The clock that limits and back-off go by; tests put a paused one in its place.
package struct Timing: Sendable {
    /// Since any fixed start; never goes backwards.
    package var now: @Sendable () -> Duration
    /// Throws `CancellationError` when the task is cancelled meanwhile.
    package var sleep: @Sendable (Duration) async throws -> Void
    /// Evenly spread over 0..<1, for jitter.
    package var random: @Sendable () -> Double

    package init(
        now: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        random: @escaping @Sendable () -> Double = { .random(in: 0..<1) }
    ) {
        self.now = now
        self.sleep = sleep
        self.random = random
    }

    package static var live: Timing {
        let start = ContinuousClock.now
        return Timing(now: { ContinuousClock.now - start }, sleep: { try await Task.sleep(for: $0) })
    }
}
