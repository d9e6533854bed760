import Model
import SimulatorKit

/// Discord's limits: a bucket for each route and channel, and one for all requests of the bot.
///
/// A window opens with its first request and closes after a fixed time, as Discord's do. Time is passed in.
struct RateLimits: Sendable {
    /// So many requests in so long.
    struct Rate: Sendable, Equatable {
        var requests: Int
        var microseconds: Int64

        init(requests: Int, microseconds: Int64) {
            self.requests = requests
            self.microseconds = microseconds
        }

        /// Reads `5/5s` or `50/1s`; `nil` for anything else.
        init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let requests = Int(parts[0]), requests > 0, parts[1].last == "s",
                let seconds = Double(parts[1].dropLast()), seconds > 0, seconds <= 86_400
            else { return nil }
            self.init(requests: requests, microseconds: Int64(seconds * 1_000_000))
        }
    }

    /// What the headers say about a bucket.
    struct Bucket: Sendable, Equatable {
        var name: String
        var limit: Int
        var remaining: Int
        /// When the window closes.
        var reset: Timestamp
        /// How long until then.
        var resetAfter: Int64
    }

    enum Verdict: Sendable, Equatable {
        case admitted(Bucket)
        /// The bucket is empty.
        case refused(Bucket)
    }

    private struct Window {
        var opened: Int64
        var used: Int
    }

    private struct Key: Hashable {
        var route: String
        var channel: UInt64
    }

    /// Absent: nobody is limited, and the headers describe a bucket that never empties.
    var rate: Rate?
    var globalRate: Rate?
    private var windows: [Key: Window] = [:]
    private var globalWindow = Window(opened: .min / 2, used: 0)

    init(rate: Rate?, globalRate: Rate?) {
        self.rate = rate
        self.globalRate = globalRate
    }

    /// Counts a request of the bot; the microseconds to wait when there were too many.
    mutating func admitGlobally(at now: Timestamp) -> Int64? {
        guard let rate = globalRate else { return nil }
        return Self.use(&globalWindow, rate, at: now.microseconds)
            ? nil
            : globalWindow.opened + rate.microseconds - now.microseconds
    }

    /// Counts a request to a route of a channel.
    mutating func admit(route: String, channel: UInt64, at now: Timestamp) -> Verdict {
        let name = Self.bucketName(of: route)
        guard let rate else {
            let second: Int64 = 1_000_000
            return .admitted(
                Bucket(
                    name: name,
                    limit: 1000,
                    remaining: 999,
                    reset: Timestamp(microseconds: now.microseconds + second),
                    resetAfter: second
                )
            )
        }
        var window = windows[Key(route: route, channel: channel)] ?? Window(opened: .min / 2, used: 0)
        let isAdmitted = Self.use(&window, rate, at: now.microseconds)
        windows[Key(route: route, channel: channel)] = window
        let reset = window.opened + rate.microseconds
        let bucket = Bucket(
            name: name,
            limit: rate.requests,
            remaining: rate.requests - window.used,
            reset: Timestamp(microseconds: reset),
            resetAfter: reset - now.microseconds
        )
        return isAdmitted ? .admitted(bucket) : .refused(bucket)
    }

    private static func use(_ window: inout Window, _ rate: Rate, at now: Int64) -> Bool {
        if now - window.opened >= rate.microseconds { window = Window(opened: now, used: 0) }
        guard window.used < rate.requests else { return false }
        window.used += 1
        return true
    }

    /// An opaque name, the same for all channels of a route, like Discord's: 32 hexadecimal digits.
    private static func bucketName(of route: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in route.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        func hex(_ value: UInt64) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return hex(hash) + hex(hash &* 0x9e37_79b9_7f4a_7c15)
    }
}

extension Answer {
    /// Adds what a bucket has to say.
    mutating func add(_ bucket: RateLimits.Bucket) {
        add("X-RateLimit-Limit", String(bucket.limit))
        add("X-RateLimit-Remaining", String(bucket.remaining))
        add("X-RateLimit-Reset", Self.seconds(bucket.reset.microseconds))
        add("X-RateLimit-Reset-After", Self.seconds(bucket.resetAfter))
        add("X-RateLimit-Bucket", bucket.name)
    }

    /// 429 by Discord itself; `scope` is `user`, `global` or `shared`.
    static func rateLimited(retryAfter microseconds: Int64, scope: String) -> Answer {
        var answer = Answer(status: 429) { writer in
            writer.object { writer in
                writer.key("message")
                writer.value(
                    scope == "shared" ? "The resource is being rate limited." : "You are being rate limited."
                )
                writer.key("retry_after")
                writer.raw(seconds(microseconds).utf8)
                writer.key("global")
                writer.value(scope == "global")
            }
        }
        answer.add("Retry-After", String((microseconds + 999_999) / 1_000_000))
        answer.add("X-RateLimit-Scope", scope)
        if scope == "global" { answer.add("X-RateLimit-Global", "true") }
        // Clients take a 429 without it for a ban by the edge network.
        answer.add("Via", "1.1 google")
        return answer
    }

    /// Seconds with three decimals, rounded up so that waiting so long is enough.
    private static func seconds(_ microseconds: Int64) -> String {
        let milliseconds = (max(0, microseconds) + 999) / 1000
        let fraction = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }
}
