/// The routes that are served, all of them read only. Ids are kept as written: whether one is an id is for the route
/// to say, as a wrong one is answered with 400, not with 404.
enum Route: Sendable, Equatable {
    case gateway
    case gatewayBot
    case currentUser
    case application
    case channel(String)
    case messages(channel: String)
    case message(channel: String, id: String)
    case archivedThreads(channel: String)
    case guild(String)
    case guildChannels(String)
    case guildRoles(String)
    case guildMember(guild: String, user: String)
    case activeThreads(guild: String)

    /// - Parameter segments: the path below `/api/v10`.
    init?(segments: [Substring]) {
        let text = segments.map(String.init)
        switch text.count {
        case 1 where text[0] == "gateway": self = .gateway
        case 2:
            switch (text[0], text[1]) {
            case ("gateway", "bot"): self = .gatewayBot
            case ("users", "@me"): self = .currentUser
            case ("applications", "@me"): self = .application
            case ("channels", let id): self = .channel(id)
            case ("guilds", let id): self = .guild(id)
            default: return nil
            }
        case 3:
            switch (text[0], text[2]) {
            case ("channels", "messages"): self = .messages(channel: text[1])
            case ("guilds", "channels"): self = .guildChannels(text[1])
            case ("guilds", "roles"): self = .guildRoles(text[1])
            case ("oauth2", "@me") where text[1] == "applications": self = .application
            default: return nil
            }
        case 4:
            switch (text[0], text[2], text[3]) {
            case ("channels", "messages", let id): self = .message(channel: text[1], id: id)
            case ("guilds", "members", let id): self = .guildMember(guild: text[1], user: id)
            case ("guilds", "threads", "active"): self = .activeThreads(guild: text[1])
            default: return nil
            }
        case 5 where text[0] == "channels" && text[2...] == ["threads", "archived", "public"]:
            self = .archivedThreads(channel: text[1])
        default: return nil
        }
    }

    /// The part of the path that Discord counts requests by, and the name of its parameter.
    enum Major: Sendable, Equatable {
        case none
        case channel(String)
        case guild(String)
    }

    var major: Major {
        switch self {
        case .gateway, .gatewayBot, .currentUser, .application: .none
        case .channel(let id), .messages(let id), .message(let id, _), .archivedThreads(let id): .channel(id)
        case .guild(let id), .guildChannels(let id), .guildRoles(let id), .guildMember(let id, _),
            .activeThreads(let id):
            .guild(id)
        }
    }

    /// The route without its ids, which is what its bucket is named by.
    var template: String {
        switch self {
        case .gateway: "GET /gateway"
        case .gatewayBot: "GET /gateway/bot"
        case .currentUser: "GET /users/@me"
        case .application: "GET /applications/@me"
        case .channel: "GET /channels/{channel}"
        case .messages: "GET /channels/{channel}/messages"
        case .message: "GET /channels/{channel}/messages/{message}"
        case .archivedThreads: "GET /channels/{channel}/threads/archived/public"
        case .guild: "GET /guilds/{guild}"
        case .guildChannels: "GET /guilds/{guild}/channels"
        case .guildRoles: "GET /guilds/{guild}/roles"
        case .guildMember: "GET /guilds/{guild}/members/{user}"
        case .activeThreads: "GET /guilds/{guild}/threads/active"
        }
    }
}
