import Model
import SimulatorKit

/// Discord as far as a reader of messages meets it: request in, answer out. Time is passed in and nothing waits.
struct SimulatedDiscord: Sendable {
    struct Settings: Sendable {
        /// The bot's token; absent: any.
        var token: String?
        /// What a route allows in one channel; absent: no limits at all.
        var rate: RateLimits.Rate? = RateLimits.Rate(requests: 5, microseconds: 5_000_000)
        var globalRate: RateLimits.Rate? = RateLimits.Rate(requests: 50, microseconds: 1_000_000)
        var invalidLimit = 10_000
        /// Whether the bot's message content switch is on.
        var hasMessageContent = true
    }

    let settings: Settings
    var channels: [UInt64: ChannelHistory] = [:]
    var faults = FaultPlan()
    /// Ids of posts are unique over all channels, as Discord's are.
    var lastPostedID: UInt64 = 0
    private(set) var books: Books
    private var limits: RateLimits

    init(settings: Settings = Settings()) {
        self.settings = settings
        books = Books(invalidLimit: settings.invalidLimit)
        limits = RateLimits(rate: settings.rate, globalRate: settings.rate == nil ? nil : settings.globalRate)
    }

    /// Answers a request below `/api`.
    mutating func answer(_ request: APIRequest, at now: Timestamp) -> Answer {
        let answer = respond(to: request, at: now)
        books.count(answer, at: now)
        return answer
    }

    private mutating func respond(to request: APIRequest, at now: Timestamp) -> Answer {
        if let banned = books.ban(at: now) {
            var answer = Answer(status: 429, html: "Error 1015: You are being rate limited")
            answer.add("Retry-After", String((banned + 999_999) / 1_000_000))
            return answer
        }
        guard let agent = request.userAgent, !agent.isEmpty else {
            return Answer(status: 403, html: "Error 1010: Access denied")
        }
        let segments = request.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard segments.first == "api" else { return .noSuchRoute }
        guard segments.dropFirst().first == "v10" else { return .invalidVersion }
        guard let route = Route(segments: Array(segments.dropFirst(2))) else { return .noSuchRoute }
        guard request.method == "GET" else { return .methodNotAllowed }
        guard route == .gateway || isAuthorized(request) else { return .unauthorized }

        let major: UInt64?
        do {
            major = try majorID(of: route)
        } catch {
            return .invalidForm(error.problems)
        }
        var isCut: Bool?
        var isShort = false
        switch faults.hit(channel: channelID(of: route, major), at: now) {
        case .answer(let answer): return answer
        case .cut(let closesEarly): isCut = closesEarly
        case .short: isShort = true
        case nil: break
        }
        if let wait = limits.admitGlobally(at: now) { return .rateLimited(retryAfter: wait, scope: "global") }
        guard let major else { return answer(route, request) }
        switch limits.admit(route: route.template, channel: major, at: now) {
        case .refused(let bucket):
            var answer = Answer.rateLimited(retryAfter: bucket.resetAfter, scope: "user")
            answer.add(bucket)
            return answer
        case .admitted(let bucket):
            var answer = answer(route, major, request, counting: isCut == nil, isShort: isShort)
            if let isCut, answer.status == 200 { answer = answer.cutShort(closesEarly: isCut) }
            answer.add(bucket)
            return answer
        }
    }

    private func isAuthorized(_ request: APIRequest) -> Bool {
        guard let value = request.authorization, value.hasPrefix("Bot ") else { return false }
        let token = value.dropFirst(4)
        return settings.token.map { $0 == token } ?? !token.isEmpty
    }

    private func majorID(of route: Route) throws(FormError) -> UInt64? {
        let (field, text): (String, String)
        switch route.major {
        case .none: return nil
        case .channel(let id): (field, text) = ("channel_id", id)
        case .guild(let id): (field, text) = ("guild_id", id)
        }
        guard let id = Snowflake(text) else { throw FormError(problems: [.notASnowflake(field, text)]) }
        return id.rawValue
    }

    private func channelID(of route: Route, _ major: UInt64?) -> UInt64? {
        if case .channel = route.major { major } else { nil }
    }
}

// MARK: What the routes say

extension SimulatedDiscord {
    /// Routes that concern neither a channel nor a server.
    private func answer(_ route: Route, _ request: APIRequest) -> Answer {
        switch route {
        case .gateway: .object(DiscordObjects.gateway(host: request.host))
        case .gatewayBot: .object(DiscordObjects.gatewayBot(host: request.host))
        case .currentUser: .object(DiscordObjects.user())
        case .application: .object(DiscordObjects.application(hasMessageContent: settings.hasMessageContent))
        default: .noSuchRoute
        }
    }

    private mutating func answer(
        _ route: Route,
        _ major: UInt64,
        _ request: APIRequest,
        counting: Bool,
        isShort: Bool
    ) -> Answer {
        switch route.major {
        case .none: return answer(route, request)
        case .guild: return answer(route, guild: major)
        case .channel:
            guard let channel = channels[major] else { return .unknownChannel }
            guard channel.access != .none else { return .missingAccess }
        }
        switch route {
        case .channel: return Answer(status: 200, json: channels[major]!.objectWithLastMessage)
        case .messages:
            do {
                var query = try MessageQuery(parameters: request.parameters)
                if isShort { query.limit = max(1, query.limit / 3) }
                return Answer(status: 200, json: channels[major]!.page(query, counting: counting))
            } catch {
                return .invalidForm(error.problems)
            }
        case .message(_, let text):
            guard let id = Snowflake(text) else { return .invalidForm([.notASnowflake("message_id", text)]) }
            guard channels[major]!.access == .full, let bytes = channels[major]!.message(id: id.rawValue) else {
                return .unknownMessage
            }
            return Answer(status: 200, json: bytes)
        case .archivedThreads: return .object("{\"threads\":[],\"members\":[],\"has_more\":false}")
        default: return .noSuchRoute
        }
    }

    private func answer(_ route: Route, guild id: UInt64) -> Answer {
        let inGuild = channels.filter { $0.value.guildID == id }.sorted { $0.key < $1.key }.map(\.value)
        guard !inGuild.isEmpty else { return .unknownGuild }
        switch route {
        case .guild: return .object(DiscordObjects.guild(id: id))
        case .guildRoles: return .object(DiscordObjects.roles(guildID: id))
        case .guildMember(_, let user):
            return user == String(DiscordObjects.botID) || user == "@me"
                ? .object(DiscordObjects.botMember()) : .unknownMember
        case .guildChannels:
            return Answer { writer in
                writer.array { writer in
                    for channel in inGuild where !channel.isThread { writer.raw(channel.object) }
                }
            }
        case .activeThreads:
            return Answer { writer in
                writer.object { writer in
                    writer.key("threads")
                    writer.array { writer in
                        for thread in inGuild where thread.isThread { writer.raw(thread.object) }
                    }
                    writer.key("members")
                    writer.array { _ in }
                }
            }
        default: return .noSuchRoute
        }
    }
}

extension Answer {
    fileprivate static func object(_ json: String) -> Answer {
        Answer(status: 200, json: Array(json.utf8))
    }
}

extension ChannelHistory {
    /// Types 10 to 12 are announcement, public and private threads.
    var isThread: Bool { (10...12).contains(type) }
}
