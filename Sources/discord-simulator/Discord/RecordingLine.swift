import Model

/// One line of a recording: a message object as REST sends it, or `{"channel":{…}}` with a channel object and, beside
/// it, an optional `"access"` of `full`, `no_history` or `none`.
enum RecordingLine {
    /// Adds a line to what is served.
    ///
    /// - Throws: ``RecordingError`` when the line is not as described.
    static func load(_ line: [UInt8], into discord: inout SimulatedDiscord) throws {
        let document: JSONDocument
        do {
            document = try JSONDocument(line)
        } catch let error as JSONError {
            throw RecordingError(problem: error.description)
        }
        let json = document.root
        if let channel = json["channel"] {
            try loadChannel(channel, access: json["access"]?.string, into: &discord)
        } else {
            try loadMessage(json, line: line, into: &discord)
        }
    }

    private static func loadChannel(
        _ json: JSONView,
        access text: String?,
        into discord: inout SimulatedDiscord
    ) throws {
        let id = try id(json, "id")
        guard let access = ChannelHistory.Access(rawValue: text ?? "full") else {
            throw RecordingError(problem: "'access' must be full, no_history or none")
        }
        let guildID = json["guild_id"]?.string.flatMap { Snowflake($0) }?.rawValue ?? DiscordObjects.defaultGuildID
        let object = json.rewritten(
            defaults: DiscordObjects.channelDefaults(id: id, guildID: guildID, access: access)
        )
        if discord.channels[id] == nil {
            discord.channels[id] = ChannelHistory(object: object, guildID: guildID)
        }
        discord.channels[id]!.object = object
        discord.channels[id]!.guildID = guildID
        discord.channels[id]!.type = Int(json["type"]?.integer ?? 0)
        discord.channels[id]!.access = access
    }

    private static func loadMessage(
        _ json: JSONView,
        line: [UInt8],
        into discord: inout SimulatedDiscord
    ) throws {
        let id = try id(json, "id")
        let channelID = try Self.id(json, "channel_id")
        if discord.channels[channelID] == nil {
            discord.channels[channelID] = try undescribedChannel(channelID)
        }
        discord.channels[channelID]!.load(
            id: id,
            isIngestible: isIngestible(json),
            bytes: discord.settings.hasMessageContent ? line : withoutContent(json)
        )
    }

    /// A channel of which a recording holds messages only.
    static func undescribedChannel(_ id: UInt64) throws -> ChannelHistory {
        let guildID = DiscordObjects.defaultGuildID
        let object = try JSONDocument("{}").root.rewritten(
            defaults: DiscordObjects.channelDefaults(id: id, guildID: guildID, access: .full)
        )
        return ChannelHistory(object: object, guildID: guildID)
    }

    static func isIngestible(_ json: JSONView) -> Bool {
        Message.ingestibleTypes.contains(Int(json["type"]?.integer ?? 0))
    }

    /// A message as a bot without the message content switch receives it.
    static func withoutContent(_ json: JSONView) -> [UInt8] {
        json.rewritten(replacing: [
            JSONMember("content", raw: "\"\""), JSONMember("embeds", raw: "[]"), JSONMember("attachments", raw: "[]"),
            JSONMember("components", raw: "[]"),
        ])
    }

    private static func id(_ json: JSONView, _ field: StaticString) throws -> UInt64 {
        guard let value = json[field] else { throw RecordingError(problem: "'\(field)' is missing") }
        guard let id = value.string.flatMap({ Snowflake($0) }) else {
            throw RecordingError(problem: "'\(field)' must be a string of digits")
        }
        return id.rawValue
    }
}

/// A recording that cannot be served.
struct RecordingError: Error, Equatable, CustomStringConvertible {
    var file: String?
    var line: Int?
    var problem: String

    init(file: String? = nil, line: Int? = nil, problem: String) {
        self.file = file
        self.line = line
        self.problem = problem
    }

    var description: String {
        ([file, line.map(String.init)].compactMap { $0 } + [problem]).joined(separator: ": ")
    }
}
