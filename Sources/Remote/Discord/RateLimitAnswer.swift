package import Model

/// A REST method and path as Discord limits them.
///
/// Source: Discord API reference, "Rate Limits": requests to one route with different top-level resources are counted
/// apart.
package struct Route: Hashable, Sendable {
    package var method: String
    /// The path with names in place of ids: `/channels/{channel.id}/messages`.
    package var template: String
    /// The channel, guild or webhook the path is about.
    package var topLevel: Snowflake?

    package init(_ method: String, _ template: String, topLevel: Snowflake? = nil) {
        self.method = method
        self.template = template
        self.topLevel = topLevel
    }
}

/// What an answer says about limits. Values that are no sensible number count as absent.
package struct RateLimitAnswer: Sendable, Equatable {
    /// `X-RateLimit-Scope` of a 429. Only `shared` ones do not count as invalid.
    package enum Scope: String, Sendable { case user, global, shared }

    package var status: Int
    /// `X-RateLimit-Bucket`: an opaque name of the limit.
    package var bucket: String?
    package var limit: Int?
    package var remaining: Int?
    /// `X-RateLimit-Reset-After`: until the window ends. Preferred to `-Reset`, since clocks differ.
    package var resetAfter: Duration?
    /// `Retry-After` of a 429.
    package var retryAfter: Duration?
    package var scope: Scope?
    package var isGlobal: Bool
    /// `retry_after` in the body of a 429; `nil` where the body is not Discord's JSON.
    package var bodyRetryAfter: Duration?

    package init(
        status: Int,
        headers: HTTPHeaders,
        bodyRetryAfter: Duration? = nil,
        bodyIsGlobal: Bool = false
    ) {
        self.status = status
        bucket = headers["X-RateLimit-Bucket"]
        limit = headers["X-RateLimit-Limit"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        remaining = headers["X-RateLimit-Remaining"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
        resetAfter = headers["X-RateLimit-Reset-After"].flatMap { Self.seconds($0) }
        retryAfter = headers["Retry-After"].flatMap { Self.seconds($0) }
        scope = headers["X-RateLimit-Scope"].flatMap { Scope(rawValue: $0.lowercased()) }
        isGlobal = bodyIsGlobal || scope == .global || headers["X-RateLimit-Global"]?.lowercased() == "true"
        self.bodyRetryAfter = bodyRetryAfter
    }

    /// As above, reading the body of a 429 too, which may be HTML from the edge or JSON cut short.
    package init(_ response: HTTPResponse) {
        var bodyRetryAfter: Duration?
        var bodyIsGlobal = false
        if response.status == 429, let document = try? JSONDocument(response.body) {
            bodyRetryAfter = document.root["retry_after"]?.double.flatMap { Self.duration($0) }
            bodyIsGlobal = document.root["global"]?.boolean ?? false
        }
        self.init(
            status: response.status,
            headers: response.headers,
            bodyRetryAfter: bodyRetryAfter,
            bodyIsGlobal: bodyIsGlobal
        )
    }

    /// Whether the answer counts towards Discord's ban on invalid requests.
    var isInvalid: Bool {
        switch status {
        case 401, 403: true
        case 429: scope != .shared
        default: false
        }
    }

    /// Whether a 429 comes from Discord's edge rather than from its API: neither its JSON nor its headers.
    var isFromEdge: Bool { status == 429 && bodyRetryAfter == nil && bucket == nil && scope == nil && !isGlobal }

    /// The wait a 429 asks for: the longer of header and body, or else the end of the window.
    var wait: Duration? { [retryAfter, bodyRetryAfter].compactMap(\.self).max() ?? resetAfter }

    /// No wait is believed beyond this.
    private static let longestWait: Double = 24 * 3600

    private static func seconds(_ text: String) -> Duration? { Double(text).flatMap { duration($0) } }

    private static func duration(_ seconds: Double) -> Duration? {
        guard seconds.isFinite, seconds >= 0 else { return nil }
        return .seconds(min(seconds, longestWait))
    }
}
