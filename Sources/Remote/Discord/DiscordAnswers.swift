package import Model

/// Which part of a channel's history to read.
package enum MessageWindow: Sendable, Equatable {
    case newest
    /// Later than this id, oldest part first; still delivered newest first.
    case after(Snowflake)
    /// Earlier than this id, newest part first.
    case before(Snowflake)

    var query: String {
        switch self {
        case .newest: ""
        case .after(let id): "&after=\(id)"
        case .before(let id): "&before=\(id)"
        }
    }
}

/// What Chaffinch needs to know of a channel. Source: Discord API reference, "Channel Object".
package struct ChannelInfo: Sendable, Equatable {
    package var id: Snowflake
    /// `nil` for direct messages.
    package var guildID: Snowflake?
    package var name: String?
    /// 0 text, 5 announcement, 10–12 threads, 15 forum, 16 media.
    package var type: Int
    /// The bot's own permissions there, where Discord tells them.
    package var permissions: UInt64?
    /// The newest message of the channel, though it may be deleted by now.
    package var lastMessageID: Snowflake?

    /// Whether messages can be read there: View Channel (bit 10) and Read Message History (bit 16), or Administrator
    /// (bit 3). `nil` where Discord does not tell. Without it Discord sends an empty list instead of an error.
    package var mayReadHistory: Bool? {
        permissions.map { $0 & (1 << 3) != 0 || ($0 & (1 << 10) != 0 && $0 & (1 << 16) != 0) }
    }

    /// Forum and media channels hold threads only, no messages of their own.
    package var holdsOnlyThreads: Bool { type == 15 || type == 16 }

    init?(_ json: JSONView) {
        guard let id = json["id"]?.string.flatMap({ Snowflake($0) }), let type = json["type"]?.integer else {
            return nil
        }
        self.id = id
        self.type = Int(type)
        guildID = json["guild_id"]?.string.flatMap { Snowflake($0) }
        name = json["name"]?.string
        lastMessageID = json["last_message_id"]?.string.flatMap { Snowflake($0) }
        permissions = json["permissions"]?.string.flatMap { UInt64($0) }
    }
}

/// The bot's application. Source: Discord API reference, "Application Object" and "Application Flags".
package struct ApplicationInfo: Sendable, Equatable {
    package var flags: UInt64

    /// Whether the message content switch is on: fully (bit 18), or as bots in fewer than 100 servers have it (bit 19).
    /// Without it the content of every message is empty.
    package var hasMessageContent: Bool { flags & (1 << 18 | 1 << 19) != 0 }

    package init(flags: UInt64) {
        self.flags = flags
    }

    init?(_ json: JSONView) {
        guard json["id"]?.string != nil else { return nil }
        flags = json["flags"]?.integer.flatMap { UInt64(exactly: $0) } ?? 0
    }
}
