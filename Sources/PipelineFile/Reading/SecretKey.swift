/// The keys of `pipeline.yaml` that hold secrets. Each may also be given as `<key>_file`, the path of a file.
package enum SecretKey: String, CaseIterable, Sendable {
    case brokerURL = "broker.url"
    case storeURL = "store.url"
    case storeSetupURL = "store.setup_url"
    case storeFetchURL = "store.fetch_url"
    case discordToken = "discord.token"
    case openAIKey = "openai.api_key"
    case consoleToken = "console.token"

    package static let all = Set(allCases)

    /// The environment variable in which a child of the tree receives the value.
    package var variable: String {
        switch self {
        case .brokerURL: "CHAFFINCH_BROKER_URL"
        case .storeURL: "CHAFFINCH_STORE_URL"
        case .storeSetupURL: "CHAFFINCH_STORE_SETUP_URL"
        case .storeFetchURL: "CHAFFINCH_STORE_FETCH_URL"
        case .discordToken: "CHAFFINCH_DISCORD_TOKEN"
        case .openAIKey: "CHAFFINCH_OPENAI_API_KEY"
        case .consoleToken: "CHAFFINCH_CONSOLE_TOKEN"
        }
    }

    /// The key inside its section.
    var key: String { String(rawValue.split(separator: ".")[1]) }

    /// Whether `text`, as the file has it, gives a secret away: a token does, a URL only with a password in it.
    func isCredential(_ text: String) -> Bool {
        switch self {
        case .discordToken, .openAIKey, .consoleToken: !Self.withoutBotPrefix(text).isEmpty
        case .brokerURL, .storeURL, .storeSetupURL, .storeFetchURL: Self.hasPassword(text)
        }
    }

    /// The value as the roles use it: trimmed, a relative SQLite path made absolute, a token without `Bot `. Empty
    /// stays empty.
    ///
    /// - Throws: ``SecretProblem``, which does not show the value.
    func normalized(_ value: String, folder: String) throws(SecretProblem) -> String {
        let value = value.trimmed
        if value.isEmpty { return "" }
        switch self {
        case .brokerURL: return try Self.brokerURL(value)
        case .storeURL, .storeSetupURL, .storeFetchURL: return try Self.storeURL(value, folder: folder, key: rawValue)
        case .discordToken: return try Self.discordToken(value)
        case .openAIKey, .consoleToken:
            guard !value.contains(where: \.isWhitespace) else { throw SecretProblem("'\(rawValue)' holds a space") }
            return value
        }
    }

    private static func brokerURL(_ value: String) throws(SecretProblem) -> String {
        if value == "managed" || value.hasPrefix("amqp://") || value.hasPrefix("amqps://") { return value }
        throw SecretProblem("'broker.url' must be 'managed' or start with amqp:// or amqps://")
    }

    private static func storeURL(_ value: String, folder: String, key: String) throws(SecretProblem) -> String {
        if value.hasPrefix("postgres://") || value.hasPrefix("postgresql://") { return value }
        guard value.hasPrefix("sqlite:") else {
            throw SecretProblem("'\(key)' must start with postgres:// or be sqlite:PATH")
        }
        let path = String(value.dropFirst("sqlite:".count))
        guard !path.isEmpty, path != ":memory:", !path.hasSuffix("/") else {
            throw SecretProblem("'\(key)' must name a file after sqlite:, which several processes can share")
        }
        return "sqlite:" + FilePath.absolute(path, in: folder)
    }

    /// Discord API reference, "Authentication": a bot's token is sent as `Bot TOKEN`, a user's OAuth2 token as
    /// `Bearer TOKEN`; `mfa.` begins the token of a user's own client, whose use by programs Discord forbids.
    private static func discordToken(_ value: String) throws(SecretProblem) -> String {
        guard !value.hasPrefix("Bearer "), !value.hasPrefix("mfa.") else {
            throw SecretProblem("'discord.token' is not a bot's token; take it from the Bot page of your application")
        }
        let token = withoutBotPrefix(value)
        guard !token.contains(where: \.isWhitespace) else { throw SecretProblem("'discord.token' holds a space") }
        return token
    }

    private static func withoutBotPrefix(_ value: String) -> String {
        let value = value.trimmed
        return (value.hasPrefix("Bot ") ? String(value.dropFirst(4)) : value == "Bot" ? "" : value).trimmed
    }

    /// `scheme://user:password@host`, or `password=` among the parameters.
    private static func hasPassword(_ url: String) -> Bool {
        guard let scheme = url.firstRange(of: "://") else { return false }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":"),
            authority.index(after: colon) < at
        {
            return true
        }
        let parameters = url.drop { $0 != "?" }.dropFirst().split(separator: "&")
        return parameters.contains { $0.hasPrefix("password=") && $0.count > "password=".count }
    }
}

/// Why a secret's value will not do, without the value.
struct SecretProblem: Error {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        let start = drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }
}
