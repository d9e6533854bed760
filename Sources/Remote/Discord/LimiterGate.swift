import Logging

/// Performs what the limiter decides: requests wait here for their admission.
actor LimiterGate {
    private var limiter: RateLimiter
    private let timing: Timing
    private let logger: Logger
    /// Those that wait for someone else's answer.
    private var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter: UInt64 = 0
    private var refusal: DiscordError?

    /// A caller is told rather than kept waiting for longer than this.
    private static let longestWait: Duration = .seconds(60)
    /// Waits from here on are worth a line to the operator; those for an ordinary window are shorter.
    private static let noteworthyWait: Duration = .seconds(15)

    init(_ limiter: RateLimiter, timing: Timing, logger: Logger) {
        self.limiter = limiter
        self.timing = timing
        self.logger = logger
    }

    /// Waits until the request may be sent.
    ///
    /// - Throws: `CancellationError`; ``DiscordError`` with code `unauthorised` once the token was refused, with
    ///   `tooManyInvalid` while a ban threatens, with `unavailable` when the wait would be longer than a minute.
    func pass(_ route: Route, subject: String) async throws -> RateLimiter.Permit {
        while true {
            try Task.checkCancellation()
            if let refusal { throw refusal }
            let now = timing.now()
            switch limiter.admit(route, now: now) {
            case .go(let permit): return permit
            case .wait(let until): try await wait(until - now, route, subject)
            case .waitForAnswer: await nextAnswer()
            case .tooManyInvalid(let until): throw DiscordError.tooManyInvalid(subject, retryAfter: until - now)
            }
        }
    }

    func finished(_ permit: RateLimiter.Permit, _ answer: RateLimitAnswer) {
        limiter.finished(permit, answer, now: timing.now())
        wakeWaiters()
    }

    func abandoned(_ permit: RateLimiter.Permit) {
        limiter.abandoned(permit)
        wakeWaiters()
    }

    /// Lets nothing pass any more.
    func refuseAll(_ error: DiscordError) {
        refusal = error
        wakeWaiters()
    }

    private func wait(_ duration: Duration, _ route: Route, _ subject: String) async throws {
        guard duration <= Self.longestWait else { throw DiscordError.limited(subject, retryAfter: duration) }
        let level: Logger.Level = duration >= Self.noteworthyWait ? .notice : .debug
        logger.log(level: level, "\(subject): Discord's rate limit, waiting \(duration.inSeconds)")
        try await timing.sleep(duration)
    }

    // MARK: Waiting for an answer

    private func nextAnswer() async {
        nextWaiter += 1
        let id = nextWaiter
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // A cancellation that came first found no one to wake.
                if Task.isCancelled { continuation.resume() } else { waiters[id] = continuation }
            }
        } onCancel: {
            Task { await self.wake(id) }
        }
    }

    private func wake(_ id: UInt64) {
        waiters.removeValue(forKey: id)?.resume()
    }

    private func wakeWaiters() {
        let all = waiters.values
        waiters = [:]
        for waiter in all { waiter.resume() }
    }
}
