import Model

/// Discord's REST limits as a plain value: requests ask for admission, answers teach it.
///
/// Times are durations since any fixed start. Sources: Discord API reference, "Rate Limits"; that headers may lie
/// (a large `Remaining`, then a 429) is known from the issues of the common clients.
package struct RateLimiter: Sendable {
    package struct Settings: Sendable {
        /// Discord allows 50 requests a second across all routes.
        package var globalPerSecond = 50
        /// Discord bans an address after 10,000 invalid answers in ten minutes; this stops far short of it.
        package var maximumInvalid = 1000
        package var invalidWindow: Duration = .seconds(600)
        /// After a 429 that no header announced: the least time between two requests of the route, first and at most.
        package var firstPace: Duration = .seconds(1)
        package var slowestPace: Duration = .seconds(16)
        /// So many answers without a 429 halve the pace.
        package var answersToEasePace = 20
        /// The wait after a 429 that names none; doubled for each further one in a row.
        package var unnamedWait: Duration = .seconds(5)
        package var longestUnnamedWait: Duration = .seconds(60)

        package init() {}
    }

    package enum Admission: Sendable, Equatable {
        /// Send now, then give the permit back with ``finished(_:_:now:)`` or ``abandoned(_:)``.
        case go(Permit)
        /// Ask again at that time.
        case wait(until: Duration)
        /// Requests under way may use up the window: ask again when one of them is answered.
        case waitForAnswer
        /// So many answers were invalid that a ban threatens: nothing is sent until then.
        case tooManyInvalid(until: Duration)
    }

    /// The right to send one request.
    package struct Permit: Sendable, Equatable {
        package let route: Route
        fileprivate let bucket: BucketID
    }

    /// Which requests are counted together. Routes with one hash share a limit, unless they announce different ones:
    /// Discord is known to give the same hash to routes with different limits.
    fileprivate enum BucketID: Hashable {
        case learned(hash: String, limit: Int, topLevel: Snowflake?)
        case unlearned(Route)

        /// One request at a time until an answer says more.
        var limit: Int {
            if case .learned(_, let limit, _) = self { limit } else { 1 }
        }
    }

    private struct Bucket {
        let limit: Int
        var remaining: Int
        /// When the window ends; `nil` while no answer of the current window has come.
        var resetAt: Duration?
        var underWay = 0

        init(_ id: BucketID) {
            limit = id.limit
            remaining = id.limit
        }
    }

    /// A route that was answered 429 although its headers had promised room.
    private struct Pace {
        var interval: Duration
        var nextAt: Duration
        var goodAnswers = 0
    }

    private struct RouteLimit {
        var hash: String
        var limit: Int
    }

    private let settings: Settings
    /// By route, and by route without its top-level id: what was learned last, for a channel never asked before.
    private var limits: [Route: RouteLimit] = [:]
    private var buckets: [BucketID: Bucket] = [:]
    private var paces: [Route: Pace] = [:]
    private var blockedUntil: Duration = .zero
    private var recent: [Duration] = []
    private var invalid: [Duration] = []
    private var unnamedInRow = 0

    package init(_ settings: Settings = Settings()) {
        self.settings = settings
    }

    /// Invalid answers (401, 403, 429 but shared) within the last ten minutes.
    package func invalidCount(now: Duration) -> Int {
        invalid.count { $0 > now - settings.invalidWindow }
    }

    // MARK: Asking

    package mutating func admit(_ route: Route, now: Duration) -> Admission {
        invalid.removeFirst(while: { $0 <= now - settings.invalidWindow })
        if invalid.count >= settings.maximumInvalid {
            return .tooManyInvalid(until: invalid[0] + settings.invalidWindow)
        }
        let id = bucketID(of: route)
        var bucket = buckets[id] ?? Bucket(id)
        if let resetAt = bucket.resetAt, resetAt <= now {
            bucket.remaining = max(0, bucket.limit - bucket.underWay)
            bucket.resetAt = nil
        }
        if let time = earliest(route, bucket, now: now), time > now { return .wait(until: time) }
        guard bucket.remaining > 0 else { return .waitForAnswer }
        bucket.remaining -= 1
        bucket.underWay += 1
        buckets[id] = bucket
        recent.append(now)
        if let pace = paces[route] { paces[route]!.nextAt = now + pace.interval }
        return .go(Permit(route: route, bucket: id))
    }

    /// The latest of the times that must have come first; `nil` when there is none to wait for.
    private mutating func earliest(_ route: Route, _ bucket: Bucket, now: Duration) -> Duration? {
        recent.removeFirst(while: { $0 <= now - .seconds(1) })
        var times = [blockedUntil]
        if recent.count >= settings.globalPerSecond {
            times.append(recent[recent.count - settings.globalPerSecond] + .seconds(1))
        }
        if bucket.remaining == 0, let resetAt = bucket.resetAt { times.append(resetAt) }
        if let pace = paces[route] { times.append(pace.nextAt) }
        return times.max()
    }

    private func bucketID(of route: Route) -> BucketID {
        guard let known = limits[route] ?? limits[route.withoutTopLevel] else { return .unlearned(route) }
        return .learned(hash: known.hash, limit: known.limit, topLevel: route.topLevel)
    }

    // MARK: Learning

    /// Gives a permit back without an answer. The request may have been counted all the same, so its place in the
    /// window stays taken until the window ends, unless nothing says when that is.
    package mutating func abandoned(_ permit: Permit) {
        guard var bucket = buckets[permit.bucket] else { return }
        bucket.underWay -= 1
        if bucket.resetAt == nil, bucket.underWay == 0 { bucket.remaining = max(1, bucket.remaining) }
        buckets[permit.bucket] = bucket
    }

    /// Gives a permit back with what its answer said.
    package mutating func finished(_ permit: Permit, _ answer: RateLimitAnswer, now: Duration) {
        abandoned(permit)
        if answer.isInvalid { invalid.append(now) }
        let id = learn(permit.route, answer, now: now)
        if answer.status == 429 {
            block(permit.route, id, answer, now: now)
        } else {
            unnamedInRow = 0
            easePace(permit.route)
        }
        forgetIdle(now: now)
    }

    /// Takes over the headers' view of the window, and returns the bucket they belong to.
    private mutating func learn(_ route: Route, _ answer: RateLimitAnswer, now: Duration) -> BucketID {
        guard let hash = answer.bucket, let limit = answer.limit else { return bucketID(of: route) }
        limits[route] = RouteLimit(hash: hash, limit: limit)
        limits[route.withoutTopLevel] = limits[route]
        let id = bucketID(of: route)
        var bucket = buckets[id] ?? Bucket(id)
        guard let remaining = answer.remaining, let resetAfter = answer.resetAfter else {
            buckets[id] = bucket
            return id
        }
        let resetAt = now + resetAfter
        if let known = bucket.resetAt, known > now, resetAt <= known + Self.sameWindow {
            // The same window. Answers may overtake one another, so the lower count is the later one.
            bucket.remaining = min(bucket.remaining, remaining)
            bucket.resetAt = max(known, resetAt)
        } else {
            bucket.remaining = max(0, remaining - bucket.underWay)
            bucket.resetAt = resetAt
        }
        buckets[id] = bucket
        return id
    }

    /// Two ends of a window closer than this are the same one seen through a varying network.
    private static let sameWindow: Duration = .milliseconds(500)

    private mutating func block(_ route: Route, _ id: BucketID, _ answer: RateLimitAnswer, now: Duration) {
        let until = now + (answer.wait ?? nextUnnamedWait())
        if answer.isGlobal || answer.isFromEdge {
            // The edge knows addresses, not routes.
            blockedUntil = max(blockedUntil, until)
            return
        }
        var bucket = buckets[id] ?? Bucket(id)
        // Headers that promise places along with a 429 are not to be believed, nor their end of the window.
        bucket.resetAt = bucket.remaining > 0 ? until : max(bucket.resetAt ?? .zero, until)
        bucket.remaining = 0
        buckets[id] = bucket
        // A shared limit is used up by others; pacing ourselves would not help.
        if answer.scope != .shared { slowDown(route, until: until) }
    }

    private mutating func nextUnnamedWait() -> Duration {
        unnamedInRow += 1
        return min(settings.unnamedWait * (1 << min(unnamedInRow - 1, 10)), settings.longestUnnamedWait)
    }

    // MARK: Pacing

    private mutating func slowDown(_ route: Route, until: Duration) {
        let interval = paces[route].map { min($0.interval * 2, settings.slowestPace) } ?? settings.firstPace
        paces[route] = Pace(interval: interval, nextAt: until)
    }

    private mutating func easePace(_ route: Route) {
        guard var pace = paces[route] else { return }
        pace.goodAnswers += 1
        if pace.goodAnswers >= settings.answersToEasePace {
            pace.goodAnswers = 0
            pace.interval = pace.interval / 2
        }
        paces[route] = pace.interval < settings.firstPace / 4 ? nil : pace
    }

    /// Keeps the table small when channels come and go.
    private mutating func forgetIdle(now: Duration) {
        guard buckets.count > 1024 else { return }
        buckets = buckets.filter { $0.value.underWay > 0 || ($0.value.resetAt ?? .zero) > now }
        paces = paces.filter { $0.value.nextAt > now - .seconds(60) }
        limits = limits.filter { buckets[bucketID(of: $0.key)] != nil || $0.key.topLevel == nil }
    }
}

extension Route {
    fileprivate var withoutTopLevel: Route { Route(method, template) }
}

extension Array {
    fileprivate mutating func removeFirst(while isStale: (Element) -> Bool) {
        removeFirst(prefix(while: isStale).count)
    }
}
