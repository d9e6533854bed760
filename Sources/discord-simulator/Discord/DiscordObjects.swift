import Model

/// The objects around the messages, with every member that client libraries read.
enum DiscordObjects {
    /// The bot that every accepted token belongs to.
    static let botID: UInt64 = 1_000_000_000_000_000_000
    /// The server of channels whose recording does not name one.
    static let defaultGuildID: UInt64 = 1_000_000_000_000_000_001
    static let ownerID: UInt64 = 1_000_000_000_000_000_002

    private static let viewChannel = 1 << 10
    private static let readMessageHistory = 1 << 16
    /// The application flag `GATEWAY_MESSAGE_CONTENT_LIMITED`, which bots in fewer than 100 servers carry.
    private static let messageContentLimited = 1 << 19

    static func user(id: UInt64 = botID, name: String = "chaffinch-simulator", isBot: Bool = true) -> String {
        """
        {"id":"\(id)","username":"\(name)","discriminator":"0","global_name":null,"avatar":null,"bot":\(isBot),\
        "system":false,"banner":null,"accent_color":null,"public_flags":0,"flags":0,"mfa_enabled":true,\
        "locale":"en-US","verified":true,"email":null}
        """
    }

    static func application(hasMessageContent: Bool) -> String {
        """
        {"id":"\(botID)","name":"chaffinch-simulator","icon":null,"description":"","bot_public":false,\
        "bot_require_code_grant":false,"owner":\(user(id: ownerID, name: "owner", isBot: false)),"team":null,\
        "summary":"","verify_key":"\(String(repeating: "0", count: 64))","bot":\(user()),\
        "flags":\(hasMessageContent ? messageContentLimited : 0),"tags":[],"redirect_uris":[],\
        "approximate_guild_count":1,"approximate_user_install_count":0,\
        "approximate_user_authorization_count":0,"interactions_endpoint_url":null,"role_connections_verification_url":null,\
        "event_webhooks_status":1,"integration_types_config":{}}
        """
    }

    /// Members that every channel of a server has, for those a recording leaves out.
    static func channelDefaults(id: UInt64, guildID: UInt64, access: ChannelHistory.Access) -> [JSONMember] {
        let denied =
            switch access {
            case .full: 0
            case .noHistory: readMessageHistory
            case .none: viewChannel
            }
        let overwrites =
            denied == 0 ? "[]" : "[{\"id\":\"\(guildID)\",\"type\":0,\"allow\":\"0\",\"deny\":\"\(denied)\"}]"
        return [
            JSONMember("id", text: String(id)), JSONMember("type", raw: "0"),
            JSONMember("guild_id", text: String(guildID)), JSONMember("name", text: "channel-\(id)"),
            JSONMember("position", raw: "0"), JSONMember("permission_overwrites", raw: overwrites),
            JSONMember("nsfw", raw: "false"), JSONMember("topic", raw: "null"), JSONMember("parent_id", raw: "null"),
            JSONMember("rate_limit_per_user", raw: "0"), JSONMember("flags", raw: "0"),
        ]
    }

    static func guild(id: UInt64) -> String {
        """
        {"id":"\(id)","name":"simulated","icon":null,"description":null,"home_header":null,"splash":null,\
        "discovery_splash":null,"features":[],"banner":null,"owner_id":"\(ownerID)","application_id":null,\
        "region":"deprecated","afk_channel_id":null,"afk_timeout":300,"system_channel_id":null,\
        "system_channel_flags":0,"widget_enabled":false,"widget_channel_id":null,"verification_level":1,\
        "roles":\(roles(guildID: id)),"default_message_notifications":1,"mfa_level":0,"explicit_content_filter":0,\
        "max_presences":null,"max_members":500000,"max_stage_video_channel_users":50,"max_video_channel_users":25,\
        "vanity_url_code":null,"premium_tier":0,"premium_subscription_count":0,"preferred_locale":"en-US",\
        "rules_channel_id":null,"safety_alerts_channel_id":null,"public_updates_channel_id":null,\
        "premium_progress_bar_enabled":false,"nsfw":false,"nsfw_level":0,"emojis":[],"stickers":[],\
        "incidents_data":null,"approximate_member_count":2,"approximate_presence_count":1}
        """
    }

    /// The one role, @everyone, which may see channels and read their history.
    static func roles(guildID: UInt64) -> String {
        """
        [{"id":"\(guildID)","name":"@everyone","description":null,"permissions":"\(viewChannel | readMessageHistory)",\
        "position":0,"color":0,"colors":{"primary_color":0,"secondary_color":null,"tertiary_color":null},\
        "hoist":false,"managed":false,"mentionable":false,"icon":null,"unicode_emoji":null,"flags":0}]
        """
    }

    static func botMember() -> String {
        """
        {"user":\(user()),"nick":null,"avatar":null,"banner":null,"roles":[],\
        "joined_at":"2024-01-01T00:00:00.000000+00:00","premium_since":null,"deaf":false,"mute":false,"flags":0,\
        "pending":false,"communication_disabled_until":null}
        """
    }

    static func gateway(host: String) -> String {
        """
        {"url":"ws://\(host)/gateway"}
        """
    }

    static func gatewayBot(host: String) -> String {
        """
        {"url":"ws://\(host)/gateway","shards":1,"session_start_limit":\
        {"total":1000,"remaining":1000,"reset_after":0,"max_concurrency":1}}
        """
    }
}
