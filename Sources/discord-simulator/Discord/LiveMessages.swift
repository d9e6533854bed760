import Model

/// Messages that appear, change and vanish while the simulator runs.
extension SimulatedDiscord {
    /// Posts a message. Members that are not given get Discord's usual values; the id is made from the time, and is
    /// the highest of the channel and of all posted before.
    ///
    /// - Returns: the message as served.
    mutating func post(_ json: JSONView, at now: Timestamp) throws -> [UInt8] {
        guard let channelID = json["channel_id"]?.string.flatMap({ Snowflake($0) })?.rawValue else {
            throw RecordingError(problem: "'channel_id' is missing or not an id")
        }
        if channels[channelID] == nil { channels[channelID] = try RecordingLine.undescribedChannel(channelID) }
        let fromTime = UInt64(max(0, now.microseconds / 1000 - Snowflake.epochMilliseconds)) << 22
        let id = max(fromTime, (channels[channelID]!.lastID ?? 0) + 1, lastPostedID + 1)
        lastPostedID = id
        let bytes = json.rewritten(
            replacing: [JSONMember("id", text: String(id))],
            defaults: MessageObject.defaults(sentAt: now)
        )
        return try put(bytes, id: id, in: channelID)
    }

    /// Changes a message: the members given replace its own, and `edited_timestamp` is set.
    ///
    /// - Returns: the message as served; `nil` when no channel has it.
    mutating func edit(id: UInt64, _ json: JSONView, at now: Timestamp) throws -> [UInt8]? {
        guard let (channelID, bytes) = find(id) else { return nil }
        var changes = json.members.filter { !["id", "channel_id"].contains($0.key) }
            .map { JSONMember($0.key, $0.value.raw) }
        if json["edited_timestamp"] == nil {
            changes.append(JSONMember("edited_timestamp", text: MessageObject.timestamp(now)))
        }
        return try put(JSONDocument(bytes).root.rewritten(replacing: changes), id: id, in: channelID)
    }

    /// Removes a message without a trace, as Discord does; false when no channel has it.
    mutating func delete(id: UInt64) -> Bool {
        guard let (channelID, _) = find(id) else { return false }
        return channels[channelID]!.remove(id: id)
    }

    private mutating func put(_ bytes: [UInt8], id: UInt64, in channelID: UInt64) throws -> [UInt8] {
        let json = try JSONDocument(bytes).root
        let served = settings.hasMessageContent ? bytes : RecordingLine.withoutContent(json)
        channels[channelID]!.put(id: id, isIngestible: RecordingLine.isIngestible(json), bytes: served)
        return served
    }

    private func find(_ id: UInt64) -> (channel: UInt64, bytes: [UInt8])? {
        for (channelID, channel) in channels {
            if let bytes = channel.message(id: id) { return (channelID, bytes) }
        }
        return nil
    }
}

/// The parts of a message object that are the same for most messages.
enum MessageObject {
    static func defaults(sentAt: Timestamp) -> [JSONMember] {
        [
            JSONMember("type", raw: "0"), JSONMember("content", raw: "\"\""), JSONMember("mentions", raw: "[]"),
            JSONMember("mention_roles", raw: "[]"), JSONMember("attachments", raw: "[]"),
            JSONMember("embeds", raw: "[]"), JSONMember("timestamp", text: timestamp(sentAt)),
            JSONMember("edited_timestamp", raw: "null"), JSONMember("flags", raw: "0"),
            JSONMember("components", raw: "[]"),
            JSONMember("author", author(id: DiscordObjects.ownerID, name: "owner", isBot: false).utf8),
            JSONMember("pinned", raw: "false"), JSONMember("mention_everyone", raw: "false"),
            JSONMember("tts", raw: "false"),
        ]
    }

    static func author(id: UInt64, name: String, isBot: Bool) -> String {
        var writer = JSONWriter()
        writer.value(name)
        return """
            {"id":"\(id)","username":\(writer.text),"avatar":null,"discriminator":"\(isBot ? "0001" : "0")",\
            "public_flags":0,"flags":0,\(isBot ? "\"bot\":true," : "")"banner":null,"accent_color":null,\
            "global_name":null,"avatar_decoration_data":null,"collectibles":null,"banner_color":null,"clan":null,\
            "primary_guild":null}
            """
    }

    /// As Discord writes times: microseconds and a numeric offset.
    static func timestamp(_ time: Timestamp) -> String {
        var text = time.iso8601
        text.removeLast()
        return text.utf8.count == 19 ? "\(text).000000+00:00" : "\(text)+00:00"
    }
}
