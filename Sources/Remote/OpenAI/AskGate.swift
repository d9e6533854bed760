package import Model

/// Says when the next request may be sent: not before what a 429 asked for has passed, and not while the breaker is
/// open. Half-open, it lets one request through, which decides.
///
/// A plain value: the caller passes in the time, which must never run backwards, asks before each request and tells how
/// it went.
package struct AskGate: Sendable {
    package enum Passage: Sendable, Equatable {
        case now
        /// Ask again after so long; nothing is sent meanwhile.
        case wait(Duration)
        /// So long that whoever waits should be put back into the queue.
        case parked(until: Duration)
    }

    private var breaker: Breaker
    private var closedUntil: Duration = .zero
    private var isProbing = false
    private var limited = Backoff(initial: .seconds(1), maximum: .seconds(60), jitter: 0)

    /// A wait up to this is sat out with the message in hand.
    package static let longestWait: Duration = .seconds(20)
    /// How often the others look whether the one request of a half-open breaker has come back.
    private static let glance: Duration = .milliseconds(250)

    /// Failures count in a row: among many answers a few failures a minute are nothing to stop for.
    package static let settings = Breaker.Settings(failures: 5, window: .seconds(1))

    package init(_ settings: Breaker.Settings = settings) {
        breaker = Breaker(settings)
    }

    package var isOpen: Bool {
        if case .open = breaker.state { true } else { false }
    }

    /// May a request be sent? One that is told `now` must be followed by ``answered()``, ``failed(_:at:random:)`` or
    /// ``abandoned()``.
    package mutating func ask(at now: Duration) -> Passage {
        if closedUntil > now {
            let rest = closedUntil - now
            return rest > Self.longestWait ? .parked(until: closedUntil) : .wait(rest)
        }
        if case .open(let until) = breaker.state, until > now { return .parked(until: until) }
        if breaker.state == .halfOpen, isProbing { return .wait(Self.glance) }
        _ = breaker.admit(at: now)
        isProbing = breaker.state == .halfOpen
        return .now
    }

    /// An answer came, whatever it says.
    package mutating func answered() {
        isProbing = false
        limited.reset()
        breaker.succeeded()
    }

    /// The request was given up before anything could be learnt from it.
    package mutating func abandoned() {
        isProbing = false
    }

    /// - Parameter random: evenly spread over 0..<1. Waits are made longer by it, never shorter.
    package mutating func failed(_ kind: OpenAIFault.Kind, at now: Duration, random: Double = .random(in: 0..<1)) {
        isProbing = false
        switch kind {
        case .limited(let asked):
            let wait = asked ?? limited.next(random: 0)
            closedUntil = max(closedUntil, now + wait * (1 + 0.2 * random))
        case .quotaSpent, .unauthorised, .notFound: breaker.trip(at: now)
        case .passing, .refused: _ = breaker.failed(at: now)
        }
    }
}
