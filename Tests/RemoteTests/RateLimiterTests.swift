import Model
import Remote
import Testing

private let messages = "/channels/{channel.id}/messages"
private func route(_ channel: UInt64) -> Route { Route("GET", messages, topLevel: Snowflake(channel)) }

/// An answer with the five headers Discord sends.
private func answer(
    _ status: Int = 200,
    bucket: String = "abc",
    limit: Int = 5,
    remaining: Int,
    resetAfter: Double,
    scope: String? = nil,
    retryAfter: String? = nil,
    body: Duration? = nil
) -> RateLimitAnswer {
    var headers: HTTPHeaders = [
        "X-RateLimit-Bucket": bucket, "X-RateLimit-Limit": "\(limit)", "X-RateLimit-Remaining": "\(remaining)",
        "X-RateLimit-Reset-After": "\(resetAfter)",
    ]
    if let scope { headers.append("X-RateLimit-Scope", scope) }
    if let retryAfter { headers.append("Retry-After", retryAfter) }
    return RateLimitAnswer(status: status, headers: headers, bodyRetryAfter: body)
}

extension RateLimiter {
    /// Asks and expects admission.
    fileprivate mutating func permit(_ route: Route, at now: Duration) throws -> Permit {
        let admission = admit(route, now: now)
        guard case .go(let permit) = admission else { throw NotAdmitted(admission: admission) }
        return permit
    }

    /// One request with its answer, at one moment.
    fileprivate mutating func exchange(_ route: Route, _ answer: RateLimitAnswer, at now: Duration) throws {
        let permit = try permit(route, at: now)
        finished(permit, answer, now: now)
    }

    /// What asking would bring, without taking it.
    fileprivate func asked(_ route: Route, at now: Duration) -> Admission {
        var copy = self
        return copy.admit(route, now: now)
    }

    fileprivate func mayGo(_ route: Route, at now: Duration) -> Bool {
        if case .go = asked(route, at: now) { true } else { false }
    }
}

private struct NotAdmitted: Error { var admission: RateLimiter.Admission }

@Suite struct RateLimiterTests {
    var limiter = RateLimiter()

    @Test("a route never asked before sends one request and waits for its answer")
    mutating func learnsBeforeItSendsMore() throws {
        let first = try limiter.permit(route(1), at: .zero)
        #expect(limiter.asked(route(1), at: .zero) == .waitForAnswer)
        limiter.finished(first, answer(remaining: 4, resetAfter: 5), now: .milliseconds(100))
        for _ in 0..<4 { _ = try limiter.permit(route(1), at: .milliseconds(100)) }
        #expect(limiter.asked(route(1), at: .milliseconds(100)) == .wait(until: .milliseconds(5100)))
    }

    @Test("an empty window opens again when Reset-After is over, with all its places")
    mutating func windowEnds() throws {
        try limiter.exchange(route(1), answer(remaining: 0, resetAfter: 4.5), at: .zero)
        #expect(limiter.asked(route(1), at: .milliseconds(4499)) == .wait(until: .milliseconds(4500)))
        for _ in 0..<5 { _ = try limiter.permit(route(1), at: .milliseconds(4500)) }
        #expect(limiter.asked(route(1), at: .milliseconds(4500)) == .waitForAnswer)
    }

    @Test("channels are counted apart, and a new channel starts with what is known of the route")
    mutating func channelsApart() throws {
        try limiter.exchange(route(1), answer(remaining: 0, resetAfter: 5), at: .zero)
        for _ in 0..<5 { _ = try limiter.permit(route(2), at: .zero) }
        #expect(limiter.asked(route(2), at: .zero) == .waitForAnswer)
    }

    @Test("routes with one hash share a window")
    mutating func sharedBucket() throws {
        let pins = Route("GET", "/channels/{channel.id}/pins", topLevel: Snowflake(1))
        try limiter.exchange(pins, answer(remaining: 4, resetAfter: 5), at: .zero)
        try limiter.exchange(route(1), answer(remaining: 0, resetAfter: 5), at: .zero)
        #expect(limiter.asked(pins, at: .zero) == .wait(until: .seconds(5)))
    }

    @Test("routes with one hash and different limits do not")
    mutating func sameHashOtherLimit() throws {
        let pins = Route("GET", "/channels/{channel.id}/pins", topLevel: Snowflake(1))
        try limiter.exchange(pins, answer(limit: 10, remaining: 9, resetAfter: 5), at: .zero)
        try limiter.exchange(route(1), answer(limit: 5, remaining: 0, resetAfter: 5), at: .zero)
        #expect(limiter.mayGo(pins, at: .zero))
    }

    @Test("a route whose hash changes takes its new window, and what was under way is given back to the old one")
    mutating func hashChanges() throws {
        try limiter.exchange(route(1), answer(bucket: "old", remaining: 4, resetAfter: 5), at: .zero)
        let late = try limiter.permit(route(1), at: .zero)
        try limiter.exchange(route(1), answer(bucket: "new", remaining: 0, resetAfter: 9), at: .zero)
        #expect(limiter.asked(route(1), at: .zero) == .wait(until: .seconds(9)))
        limiter.finished(late, answer(bucket: "old", remaining: 2, resetAfter: 5), now: .seconds(1))
        #expect(limiter.mayGo(route(1), at: .seconds(1)))
    }

    @Test("a channel keeps its own hash when another channel has a different one")
    mutating func hashPerChannel() throws {
        try limiter.exchange(route(1), answer(bucket: "one", remaining: 0, resetAfter: 5), at: .zero)
        try limiter.exchange(route(2), answer(bucket: "two", remaining: 4, resetAfter: 5), at: .zero)
        #expect(limiter.asked(route(1), at: .zero) == .wait(until: .seconds(5)))
    }

    @Test("thousands of channels that come and go are forgotten, but not one that must wait")
    mutating func manyChannels() throws {
        try limiter.exchange(route(0), answer(remaining: 0, resetAfter: 3600), at: .zero)
        for channel in 1...5000 {
            let now = Duration.seconds(channel)
            try limiter.exchange(route(UInt64(channel)), answer(remaining: 4, resetAfter: 1), at: now)
            guard channel < 3600 else { continue }
            #expect(limiter.asked(route(0), at: now) == .wait(until: .seconds(3600)))
        }
        #expect(limiter.mayGo(route(0), at: .seconds(3600)))
    }

    @Test("of two answers in one window the lower count is believed, whichever comes last")
    mutating func answersOvertake() throws {
        try limiter.exchange(route(1), answer(remaining: 4, resetAfter: 5), at: .zero)
        let first = try limiter.permit(route(1), at: .zero)
        let second = try limiter.permit(route(1), at: .zero)
        limiter.finished(second, answer(remaining: 0, resetAfter: 5), now: .zero)
        limiter.finished(first, answer(remaining: 3, resetAfter: 5), now: .zero)
        #expect(limiter.asked(route(1), at: .zero) == .wait(until: .seconds(5)))
    }

    @Test("requests without an answer keep their place, but never block a route for good")
    mutating func abandoned() throws {
        try limiter.exchange(route(1), answer(remaining: 1, resetAfter: 5), at: .zero)
        limiter.abandoned(try limiter.permit(route(1), at: .zero))
        #expect(limiter.asked(route(1), at: .zero) == .wait(until: .seconds(5)))
        for second in 5..<30 { limiter.abandoned(try limiter.permit(route(1), at: .seconds(second))) }
    }

    @Test("answers without headers leave a route at one request at a time")
    mutating func noHeaders() throws {
        let plain = RateLimitAnswer(status: 200, headers: [:])
        for _ in 0..<10 { try limiter.exchange(route(1), plain, at: .zero) }
        _ = try limiter.permit(route(1), at: .zero)
        #expect(limiter.asked(route(1), at: .zero) == .waitForAnswer)
    }

    @Test("at most 50 requests in any second, over all routes")
    mutating func globalLimit() throws {
        for channel in 0..<50 { _ = try limiter.permit(route(UInt64(channel)), at: .milliseconds(channel * 10)) }
        #expect(limiter.asked(route(99), at: .milliseconds(500)) == .wait(until: .seconds(1)))
        _ = try limiter.permit(route(99), at: .seconds(1))
        #expect(limiter.asked(route(100), at: .seconds(1)) == .wait(until: .milliseconds(1010)))
    }
}

@Suite struct RateLimiterRefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var answer: RateLimitAnswer
        var ownWait: Duration
        var othersWait = false
        var isInvalid = true
    }

    static let cases: [Case] = [
        Case(
            testDescription: "the body's wait is longer",
            answer: answer(429, remaining: 0, resetAfter: 1, scope: "user", retryAfter: "1", body: .milliseconds(1750)),
            ownWait: .milliseconds(1750)
        ),
        Case(
            testDescription: "the header's wait is longer",
            answer: answer(429, remaining: 0, resetAfter: 1, scope: "user", retryAfter: "3", body: .milliseconds(250)),
            ownWait: .seconds(3)
        ),
        Case(
            testDescription: "the headers promise 999",
            answer: answer(
                429,
                limit: 1000,
                remaining: 999,
                resetAfter: 0.1,
                scope: "user",
                retryAfter: "2",
                body: .seconds(2)
            ),
            ownWait: .seconds(2)
        ),
        Case(
            testDescription: "a shared limit does not count as invalid",
            answer: answer(429, remaining: 0, resetAfter: 1, scope: "shared", retryAfter: "4", body: .seconds(4)),
            ownWait: .seconds(4),
            isInvalid: false
        ),
        Case(
            testDescription: "global by scope",
            answer: answer(429, remaining: 4, resetAfter: 1, scope: "global", retryAfter: "7", body: .seconds(7)),
            ownWait: .seconds(7),
            othersWait: true
        ),
        Case(
            testDescription: "global by header alone",
            answer: RateLimitAnswer(status: 429, headers: ["x-ratelimit-global": "true", "retry-after": "6"]),
            ownWait: .seconds(6),
            othersWait: true
        ),
        Case(
            testDescription: "global by body alone",
            answer: RateLimitAnswer(HTTPResponse(status: 429, body: Array(#"{"retry_after":0.5,"global":true}"#.utf8))),
            ownWait: .milliseconds(500),
            othersWait: true
        ),
        Case(
            testDescription: "HTML from the edge without a wait holds everything",
            answer: RateLimitAnswer(HTTPResponse(status: 429, body: Array("<html>1015</html>".utf8))),
            ownWait: .seconds(5),
            othersWait: true
        ),
        Case(
            testDescription: "HTML from the edge with a wait",
            answer: RateLimitAnswer(HTTPResponse(status: 429, headers: ["Retry-After": "30"], body: Array("<h".utf8))),
            ownWait: .seconds(30),
            othersWait: true
        ),
        Case(
            testDescription: "JSON cut short, with the headers",
            answer: RateLimitAnswer(
                HTTPResponse(
                    status: 429,
                    headers: ["X-RateLimit-Scope": "user", "Retry-After": "2"],
                    body: Array(#"{"message":"You are bei"#.utf8)
                )
            ),
            ownWait: .seconds(2)
        ),
        Case(
            testDescription: "waits that are no numbers",
            answer: RateLimitAnswer(
                HTTPResponse(
                    status: 429,
                    headers: ["X-RateLimit-Scope": "user", "Retry-After": "nan"],
                    body: Array(#"{"retry_after":-1}"#.utf8)
                )
            ),
            ownWait: .seconds(5)
        ),
        Case(
            testDescription: "a wait beyond a day is cut to a day",
            answer: RateLimitAnswer(
                HTTPResponse(status: 429, headers: ["X-RateLimit-Scope": "user", "Retry-After": "1e300"])
            ),
            ownWait: .seconds(86400)
        ),
    ]

    @Test("429", arguments: cases) func refused(_ row: Case) throws {
        var limiter = RateLimiter()
        try limiter.exchange(route(1), row.answer, at: .zero)
        #expect(limiter.asked(route(1), at: .zero) == .wait(until: row.ownWait))
        #expect(limiter.mayGo(route(2), at: .zero) == !row.othersWait)
        #expect(limiter.invalidCount(now: .zero) == (row.isInvalid ? 1 : 0))
        #expect(limiter.mayGo(route(1), at: row.ownWait))
    }

    @Test("waits that nobody names grow, and start afresh after an answer")
    func unnamedWaits() throws {
        var limiter = RateLimiter()
        var now = Duration.zero
        var waits: [Duration] = []
        let html = RateLimitAnswer(status: 429, headers: [:])
        for _ in 0..<6 {
            try limiter.exchange(route(1), html, at: now)
            guard case .wait(let until) = limiter.asked(route(1), at: now) else { break }
            waits.append(until - now)
            now = until
        }
        #expect(waits == [5, 10, 20, 40, 60, 60].map { .seconds($0) })
        try limiter.exchange(route(1), RateLimitAnswer(status: 200, headers: [:]), at: now)
        try limiter.exchange(route(1), html, at: now)
        #expect(limiter.asked(route(1), at: now) == .wait(until: now + .seconds(5)))
    }

    @Test("after a 429 that no header announced the channel is paced, and eased again by good answers")
    func pacing() throws {
        var limiter = RateLimiter()
        let promise = answer(limit: 1000, remaining: 999, resetAfter: 60)
        try limiter.exchange(route(1), promise, at: .zero)
        try limiter.exchange(
            route(1),
            answer(429, limit: 1000, remaining: 999, resetAfter: 0, scope: "user", body: .seconds(5)),
            at: .zero
        )
        var now = Duration.seconds(5)
        try limiter.exchange(route(1), promise, at: now)
        #expect(limiter.asked(route(1), at: now) == .wait(until: now + .seconds(1)))
        #expect(limiter.mayGo(route(2), at: now))
        for _ in 0..<19 {
            now += .seconds(1)
            try limiter.exchange(route(1), promise, at: now)
        }
        now += .seconds(1)
        try limiter.exchange(route(1), promise, at: now)
        #expect(limiter.asked(route(1), at: now) == .wait(until: now + .milliseconds(500)))
    }

    @Test("each further 429 doubles the pace, up to 16 s")
    func pacingGrows() throws {
        var limiter = RateLimiter()
        let refusal = answer(429, limit: 1000, remaining: 999, resetAfter: 0, scope: "user", body: .zero)
        let good = answer(limit: 1000, remaining: 999, resetAfter: 60)
        var now = Duration.zero
        var paces: [Duration] = []
        for _ in 0..<6 {
            try limiter.exchange(route(1), refusal, at: now)
            try limiter.exchange(route(1), good, at: now)
            guard case .wait(let until) = limiter.asked(route(1), at: now) else { break }
            paces.append(until - now)
            now = until
        }
        #expect(paces == [1, 2, 4, 8, 16, 16].map { .seconds($0) })
    }

    @Test("1,000 invalid answers in ten minutes stop everything until the first of them is ten minutes old")
    func tooManyInvalid() throws {
        var limiter = RateLimiter()
        for count in 0..<1000 {
            let refusal = RateLimitAnswer(status: count % 2 == 0 ? 401 : 403, headers: [:])
            try limiter.exchange(route(UInt64(count)), refusal, at: .milliseconds(count * 100))
        }
        #expect(limiter.asked(route(1), at: .seconds(100)) == .tooManyInvalid(until: .seconds(600)))
        #expect(limiter.mayGo(route(1), at: .seconds(600)))
    }

    @Test("answers of other kinds are not invalid", arguments: [200, 400, 404, 500, 502])
    func notInvalid(status: Int) throws {
        var limiter = RateLimiter()
        try limiter.exchange(route(1), RateLimitAnswer(status: status, headers: [:]), at: .zero)
        #expect(limiter.invalidCount(now: .zero) == 0)
    }
}
