import Model

/// An export of DiscordChatExporter: messages in words of its own, which become Discord's again.
///
/// The format is that of its `JsonMessageWriter`. What it does not write, such as the guild's roles, is not there; with
/// its option `--markdown` mentions and emoji stand as plain text, which rules see as written.
struct ChatExport {
    let channelID: Snowflake
    let guildID: Snowflake?

    /// - Parameter preamble: the export up to and including the `[` of `messages`.
    /// - Throws: ``ImportProblem``.
    init(preamble: [UInt8]) throws {
        guard let document = try? JSONDocument(preamble + Array("]}".utf8)) else {
            throw ImportProblem("what stands before 'messages' is not JSON")
        }
        guard let channel = document.root["channel"]?["id"]?.string.flatMap({ Snowflake($0) }) else {
            throw ImportProblem("'channel.id' is missing")
        }
        channelID = channel
        // Direct messages have the guild 0.
        guildID = document.root["guild"]?["id"]?.string.flatMap { Snowflake($0) }.flatMap {
            $0.rawValue == 0 ? nil : $0
        }
    }

    /// A message object as Discord sends it.
    ///
    /// - Throws: ``ImportProblem``, `JSONError`.
    func message(_ bytes: [UInt8]) throws -> [UInt8] {
        let document = try JSONDocument(bytes)
        let json = document.root
        guard let type = Self.type(json["type"]) else {
            throw ImportProblem("'type' is missing or not one that is known")
        }
        var writer = JSONWriter(reserving: bytes.count)
        writer.object { writer in
            writer.copy("id", json["id"])
            writer.key("channel_id")
            writer.value(channelID.description)
            if let guildID {
                writer.key("guild_id")
                writer.value(guildID.description)
            }
            writer.key("type")
            writer.value(type)
            writer.copy("timestamp", json["timestamp"])
            writer.copy("edited_timestamp", json["timestampEdited"])
            writer.copy("pinned", json["isPinned"])
            writer.copy("content", json["content"])
            if let author = json["author"] {
                writer.key("author")
                writer.object { Self.write(user: author, to: &$0) }
            }
            writer.list("mentions", json["mentions"], Self.write(user:to:))
            Self.write(body: json, to: &writer)
            Self.write(referencesOf: json, to: &writer)
        }
        return writer.bytes
    }

    /// The names of `MessageKind`; types it has no name for stand as numbers.
    private static func type(_ json: JSONView?) -> Int? {
        guard let name = json?.string else { return json?.integer.map { Int($0) } }
        let names = [
            "Default": 0, "RecipientAdd": 1, "RecipientRemove": 2, "Call": 3, "ChannelNameChange": 4,
            "ChannelIconChange": 5, "ChannelPinnedMessage": 6, "GuildMemberJoin": 7, "ThreadCreated": 18, "Reply": 19,
        ]
        return names[name] ?? Int(name)
    }

    private static func write(user json: JSONView, to writer: inout JSONWriter) {
        writer.copy("id", json["id"])
        writer.copy("username", json["name"])
        writer.copy("discriminator", json["discriminator"])
        writer.copy("global_name", json["nickname"])
        writer.copy("bot", json["isBot"])
    }

    /// Attachments, embeds and stickers, of a message or of one that is forwarded.
    private static func write(body json: JSONView, to writer: inout JSONWriter) {
        writer.list("attachments", json["attachments"]) { json, writer in
            writer.copy("id", json["id"])
            writer.copy("filename", json["fileName"])
            writer.copy("size", json["fileSizeBytes"])
            writer.copy("url", json["url"])
        }
        writer.list("embeds", json["embeds"], write(embed:to:))
        writer.list("sticker_items", json["stickers"]) { json, writer in
            writer.copy("id", json["id"])
            writer.copy("name", json["name"])
        }
    }

    private static func write(embed json: JSONView, to writer: inout JSONWriter) {
        for (name, theirs): (String, StaticString) in [("title", "title"), ("description", "description")] {
            // Absent ones are written as empty texts.
            if let text = json[theirs], text.string != "" { writer.copy(name, text) }
        }
        writer.copy("url", json["url"])
        writer.copy("timestamp", json["timestamp"])
        if let colour = json["color"]?.string, let number = Int(colour.drop { $0 == "#" }, radix: 16) {
            writer.key("color")
            writer.value(number)
        }
        writer.part("author", json["author"]) { json, writer in
            writer.copy("name", json["name"])
            writer.copy("url", json["url"])
            writer.copy("icon_url", json["iconUrl"])
        }
        for (name, theirs): (String, StaticString) in [
            ("thumbnail", "thumbnail"), ("image", "image"), ("video", "video"),
        ] {
            writer.part(name, json[theirs]) { json, writer in
                writer.copy("url", json["url"])
                writer.copy("width", json["width"])
                writer.copy("height", json["height"])
            }
        }
        writer.part("footer", json["footer"]) { json, writer in
            writer.copy("text", json["text"])
            writer.copy("icon_url", json["iconUrl"])
        }
        writer.list("fields", json["fields"]) { json, writer in
            writer.copy("name", json["name"])
            writer.copy("value", json["value"])
            writer.copy("inline", json["isInline"])
        }
    }

    private static func write(referencesOf json: JSONView, to writer: inout JSONWriter) {
        writer.part("message_reference", json["reference"]) { json, writer in
            writer.copy("message_id", json["messageId"])
            writer.copy("channel_id", json["channelId"])
            writer.copy("guild_id", json["guildId"])
        }
        guard let forwarded = json["forwardedMessage"], forwarded.kind == .object else { return }
        writer.key("message_snapshots")
        writer.array { writer in
            writer.object { writer in
                writer.part("message", forwarded) { json, writer in
                    writer.copy("timestamp", json["timestamp"])
                    writer.copy("edited_timestamp", json["timestampEdited"])
                    writer.copy("content", json["content"])
                    write(body: json, to: &writer)
                }
            }
        }
    }
}

/// Why a file, or an element of it, cannot be imported.
package struct ImportProblem: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension JSONWriter {
    /// A member under another name, with its value as written; nothing where it is absent or null.
    fileprivate mutating func copy(_ name: String, _ json: JSONView?) {
        guard let json, !json.isNull else { return }
        key(name)
        raw(json.raw)
    }

    fileprivate mutating func part(
        _ name: String,
        _ json: JSONView?,
        _ body: (JSONView, inout JSONWriter) -> Void
    ) {
        guard let json, json.kind == .object else { return }
        key(name)
        object { body(json, &$0) }
    }

    fileprivate mutating func list(
        _ name: String,
        _ json: JSONView?,
        _ body: (JSONView, inout JSONWriter) -> Void
    ) {
        guard let json, json.kind == .array else { return }
        key(name)
        array { writer in
            for element in json.elements where element.kind == .object { writer.object { body(element, &$0) } }
        }
    }
}
