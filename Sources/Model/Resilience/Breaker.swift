/// Stops starting, or calling, what keeps failing: after too many failures it opens and lets nothing through for a
/// while, then admits one attempt (half-open) that closes it or opens it again for twice as long.
///
/// A plain value: the caller passes in the time, which must never run backwards, and asks before each attempt.
package struct Breaker: Sendable, Equatable {
    package struct Settings: Sendable, Equatable, Codable {
        /// So many failures within ``window``, or so many in a row without ``stable`` between them, open it.
        package var failures: Int
        package var window: Duration
        /// How long it stays open the first time; doubled each time the attempt after it fails.
        package var open: Duration
        package var maximumOpen: Duration
        /// An attempt that does well for so long has succeeded.
        package var stable: Duration

        package init(
            failures: Int = 5,
            window: Duration = .seconds(60),
            open: Duration = .seconds(30),
            maximumOpen: Duration = .seconds(600),
            stable: Duration = .seconds(30)
        ) {
            self.failures = failures
            self.window = window
            self.open = open
            self.maximumOpen = maximumOpen
            self.stable = stable
        }
    }

    package enum State: Sendable, Equatable {
        case closed
        case open(until: Duration)
        /// One attempt is admitted, and decides.
        case halfOpen
    }

    package let settings: Settings
    package private(set) var state = State.closed
    /// The times of the last failures, as many as open it at most.
    private var recent: [Duration] = []
    private var inARow = 0
    private var nextOpen: Duration

    package init(_ settings: Settings) {
        self.settings = settings
        nextOpen = settings.open
    }

    /// Counts a failure.
    ///
    /// - Returns: whether that opened it.
    package mutating func failed(at now: Duration) -> Bool {
        inARow += 1
        recent.append(now)
        if recent.count > settings.failures { recent.removeFirst() }
        switch state {
        case .open: return false
        case .closed where failures(at: now) < settings.failures: return false
        case .closed, .halfOpen:
            open(at: now)
            return true
        }
    }

    /// Opens it whatever was counted, after a failure that says of itself that it will last.
    package mutating func trip(at now: Duration) {
        if case .open = state { return }
        open(at: now)
    }

    private mutating func open(at now: Duration) {
        state = .open(until: now + nextOpen)
        nextOpen = min(nextOpen * 2, max(settings.maximumOpen, settings.open))
    }

    /// An attempt did well for ``Settings/stable``.
    package mutating func succeeded() {
        if state == .halfOpen { reset() } else { inARow = 0 }
    }

    /// Admits the one attempt that decides; true when it may be made now. A closed breaker admits everything.
    ///
    /// - Parameter early: somebody asks for it before its time.
    package mutating func admit(at now: Duration, early: Bool = false) -> Bool {
        if case .open(let until) = state {
            guard early || until <= now else { return false }
            state = .halfOpen
        }
        return true
    }

    /// Closes it and forgets all failures.
    package mutating func reset() {
        self = Breaker(settings)
    }

    /// Failures that count toward opening it: those within the window or those in a row, whichever are more.
    package func failures(at now: Duration) -> Int {
        max(inARow, recent.count { now - $0 < settings.window })
    }
}

extension Breaker.Settings {
    /// The shortest time in which an attempt that always fails at once can fail ``failures`` times, when each waits
    /// as the back-off has it and the first does not wait at all.
    package func shortestTimeToOpen(with backoff: Backoff) -> Duration {
        var backoff = backoff
        backoff.reset()
        return (0..<max(0, failures - 2)).reduce(.zero) { time, _ in time + backoff.next(random: 0) }
    }

    /// Whether failures can come fast enough to fill the window. Where they cannot, the window says nothing, and
    /// whoever wrote it is mistaken about what it does.
    package func isReachable(with backoff: Backoff) -> Bool { shortestTimeToOpen(with: backoff) < window }
}
