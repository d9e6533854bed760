package import Logging
package import Model

/// Reads from Discord's REST API (v10) with a bot's token: waits for the limits, retries what may pass, and says in a
/// sentence what will not.
///
/// Every method throws ``DiscordError``, or `CancellationError` when the task is cancelled. After a 401 nothing more is
/// sent by this value.
package final class DiscordREST: Sendable {
    /// In the form Discord asks for: `DiscordBot ($url, $versionNumber)`.
    package static let userAgent = "DiscordBot (https://chaffinch.invalid, \(Chaffinch.version))"
    package static let maximumMessages = 100

    private let api: String
    private let token: String
    private let http: HTTPClient
    private let gate: LimiterGate
    private let timing: Timing
    private let logger: Logger

    /// How often a request is sent that meets passing faults, and how often one that meets 429.
    private static let maximumAttempts = 5
    private static let maximumLimited = 10

    /// - Parameters:
    ///   - api: such as `https://discord.com/api/v10`.
    ///   - token: a bot's, without the word `Bot`.
    package init(
        api: String,
        token: String,
        http: HTTPClient,
        logger: Logger,
        limits: RateLimiter.Settings = .init(),
        timing: Timing = .live
    ) {
        self.api = api.hasSuffix("/") ? String(api.dropLast()) : api
        self.token = token
        self.http = http
        self.timing = timing
        self.logger = logger
        if !api.hasPrefix("https:"), !URLText.isLoopback(api) {
            logger.warning("discord.api is not https: the bot's token travels unencrypted")
        }
        gate = LimiterGate(RateLimiter(limits), timing: timing, logger: logger)
    }

    // MARK: What can be asked

    /// Up to 100 messages as Discord sends them: newest first, also with `after`.
    ///
    /// An empty answer may also mean that the bot lacks Read Message History.
    package func messages(
        in channel: Snowflake,
        _ window: MessageWindow,
        limit: Int = maximumMessages
    ) async throws -> [Page.Element] {
        let limit = min(max(limit, 1), Self.maximumMessages)
        return try await get(
            Route("GET", "/channels/{channel.id}/messages", topLevel: channel),
            path: "/channels/\(channel)/messages?limit=\(limit)\(window.query)",
            subject: "channel \(channel)"
        ) { body in
            try? Page.unpack(body)
        }
    }

    package func channel(_ id: Snowflake) async throws -> ChannelInfo {
        try await get(
            Route("GET", "/channels/{channel.id}", topLevel: id),
            path: "/channels/\(id)",
            subject: "channel \(id)"
        ) { body in
            (try? JSONDocument(body)).flatMap { ChannelInfo($0.root) }
        }
    }

    /// The bot's own account.
    package func currentUser() async throws -> (id: Snowflake, name: String) {
        try await get(Route("GET", "/users/@me"), path: "/users/@me", subject: "the bot's account") { body in
            guard let root = (try? JSONDocument(body))?.root, let id = root["id"]?.string.flatMap({ Snowflake($0) }),
                let name = root["username"]?.string
            else { return nil }
            return (id, name)
        }
    }

    package func application() async throws -> ApplicationInfo {
        try await get(
            Route("GET", "/applications/@me"),
            path: "/applications/@me",
            subject: "the bot's application"
        ) { body in
            (try? JSONDocument(body)).flatMap { ApplicationInfo($0.root) }
        }
    }

    // MARK: Asking

    private enum Outcome<Value> {
        case value(Value)
        /// 429: the limiter knows how long to wait.
        case limited
        /// May pass: why, for people.
        case fault(String)
        case refused(DiscordError)
    }

    private func get<Value>(
        _ route: Route,
        path: String,
        subject: String,
        _ read: ([UInt8]) -> Value?
    ) async throws -> Value {
        guard tokenIsPlausible else { throw DiscordError.badToken }
        var backoff = Backoff(initial: .seconds(1), maximum: .seconds(30))
        var limited = 0
        while true {
            switch try await attempt(route, path: path, subject: subject, read) {
            case .value(let value): return value
            case .refused(let error):
                if error.code == .unauthorised { await gate.refuseAll(error) }
                throw error
            case .limited:
                limited += 1
                guard limited < Self.maximumLimited else { throw DiscordError.alwaysLimited(subject, times: limited) }
            case .fault(let reason):
                let wait = backoff.next(random: timing.random())
                guard backoff.attempts < Self.maximumAttempts else {
                    throw DiscordError.unavailable(subject, attempts: backoff.attempts, last: reason)
                }
                logger.info("\(subject): \(reason); trying again in \(wait.inSeconds)")
                try await timing.sleep(wait)
            }
        }
    }

    private func attempt<Value>(
        _ route: Route,
        path: String,
        subject: String,
        _ read: ([UInt8]) -> Value?
    ) async throws -> Outcome<Value> {
        let permit = try await gate.pass(route, subject: subject)
        let response: HTTPResponse
        do {
            response = try await http.send(request(route.method, path))
        } catch {
            await gate.abandoned(permit)
            guard let error = error as? HTTPError, error.code != .cancelled else { throw CancellationError() }
            return .fault(error.message)
        }
        await gate.finished(permit, RateLimitAnswer(response))
        return outcome(response, subject, read)
    }

    private func request(_ method: String, _ path: String) -> HTTPRequest {
        HTTPRequest(
            method: method,
            url: api + path,
            headers: [
                ("Authorization", "Bot \(token)"), ("User-Agent", Self.userAgent), ("Accept", "application/json"),
            ]
        )
    }

    private func outcome<Value>(
        _ response: HTTPResponse,
        _ subject: String,
        _ read: ([UInt8]) -> Value?
    ) -> Outcome<Value> {
        switch response.status {
        case 200..<300:
            if let value = read(response.body) { return .value(value) }
            return .fault("HTTP \(response.status) with a body that is not the expected JSON (\(kind(response)))")
        case 429: return .limited
        case 408, 425, 500...: return .fault("HTTP \(response.status) (\(kind(response)))")
        default:
            let answer = ErrorAnswer(response, without: token)
            return .refused(.refusal(subject, status: response.status, answer))
        }
    }

    private func kind(_ response: HTTPResponse) -> String {
        let type = response.headers["Content-Type"].map { PrintableText.of($0, without: token, limit: 40) }
        return "\(type ?? "no content type"), \(response.body.count) bytes"
    }

    /// Discord's tokens are visible ASCII; anything else was pasted wrongly.
    private var tokenIsPlausible: Bool {
        !token.isEmpty && token.utf8.allSatisfy { 0x21...0x7e ~= $0 }
    }
}
