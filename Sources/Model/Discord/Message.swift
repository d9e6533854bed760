/// A Discord message as the pipeline uses it: the fields that rules and tables need, and the object as Discord sent it.
///
/// Source: Discord API reference, "Message Object". `content`, `embeds` and the rest are empty when the bot lacks the
/// message content switch.
package struct Message: Sendable, Equatable {
    package var id: Snowflake
    package var channelID: Snowflake
    /// Only gateway messages carry it; `nil` for history.
    package var guildID: Snowflake?
    package var authorID: Snowflake?
    /// The author's user name, not the name shown in one server.
    package var author: String?
    /// The text. For a forwarded message, whose own is empty, the text of the message it forwards.
    package var content: String
    /// The text of the embeds, flattened (``EmbedText``); `nil` without embeds.
    package var embedText: String?
    package var type: Int
    package var sentAt: Timestamp
    package var editedAt: Timestamp?
    package var pinned: Bool
    package var mentionsEveryone: Bool
    /// True when content, embeds, attachments and components are all empty, as they are for every message when the
    /// bot's message content switch is off.
    package var isBlank: Bool
    /// The JSON object exactly as received.
    package var payload: [UInt8]

    /// Which messages become traffic: default (0), reply (19), chat input command (20) and context menu command (23).
    /// All others are system messages.
    package static let ingestibleTypes: Set<Int> = [0, 19, 20, 23]

    package var isIngestible: Bool { Self.ingestibleTypes.contains(type) }

    /// What rules read with `input: text`: the content, or the embeds' text when there is none.
    package var text: String { content.isEmpty ? embedText ?? "" : content }

    /// Reads one message object.
    ///
    /// - Throws: ``MessageError`` naming the field that is missing or of the wrong kind.
    package init(_ json: JSONView) throws {
        guard json.kind == .object else { throw MessageError(field: "message", problem: "is not a JSON object") }
        let id = try Self.snowflake(json, "id", of: json["id"])
        self.id = id
        func required<Value>(_ field: String, _ value: Value?, _ problem: String) throws -> Value {
            guard let value else { throw MessageError(id: id, field: field, problem: problem) }
            return value
        }
        channelID = try Self.snowflake(json, "channel_id", of: json["channel_id"], id: id)
        guildID = json["guild_id"]?.withUTF8 { Snowflake(utf8: $0) }
        let sender = json["author"]
        authorID = sender?["id"]?.withUTF8 { Snowflake(utf8: $0) }
        author = sender?["username"]?.string
        type = Int(try required("type", json["type"]?.integer, "is missing or not a number"))
        sentAt = try required(
            "timestamp",
            json["timestamp"]?.withUTF8 { Timestamp(iso8601: $0) },
            "is missing or not an ISO 8601 time"
        )
        editedAt = nil
        if let edited = json["edited_timestamp"], !edited.isNull {
            editedAt = try required(
                "edited_timestamp",
                edited.withUTF8 { Timestamp(iso8601: $0) },
                "is not an ISO 8601 time"
            )
        }
        pinned = json["pinned"]?.boolean ?? false
        mentionsEveryone = json["mention_everyone"]?.boolean ?? false
        let text = json["content"]
        content = text?.string ?? ""
        if let text, text.kind != .string, !text.isNull {
            throw MessageError(id: id, field: "content", problem: "is not a string")
        }
        embedText = json["embeds"].flatMap(EmbedText.flatten)
        var snapshots = json["message_snapshots"]?.elements
        let forwarded = snapshots?.next()?["message"]
        if let forwarded {
            if content.isEmpty && embedText == nil {
                content = forwarded["content"]?.string ?? ""
                embedText = forwarded["embeds"].flatMap(EmbedText.flatten)
            }
        }
        isBlank = content.isEmpty && Self.hasNoParts(json) && (forwarded.map(Self.hasNoParts) ?? true)
        payload = Array(json.raw)
    }

    private static func hasNoParts(_ json: JSONView) -> Bool {
        func isEmpty(_ list: JSONView?) -> Bool {
            guard var elements = list?.elements else { return true }
            return elements.next() == nil
        }
        return isEmpty(json["embeds"]) && isEmpty(json["attachments"]) && isEmpty(json["components"])
            && isEmpty(json["sticker_items"]) && (json["poll"]?.isNull ?? true)
    }

    private static func snowflake(
        _ json: JSONView,
        _ field: String,
        of value: JSONView?,
        id: Snowflake? = nil
    ) throws -> Snowflake {
        guard let value else { throw MessageError(id: id, field: field, problem: "is missing") }
        let snowflake = value.withUTF8 { Snowflake(utf8: $0) } ?? value.numberLiteral.flatMap { Snowflake($0) }
        guard let snowflake else { throw MessageError(id: id, field: field, problem: "is not an id") }
        return snowflake
    }
}

/// A message object that lacks what every message has.
package struct MessageError: Error, Equatable, CustomStringConvertible {
    /// The message's id, where that could be read.
    package var id: Snowflake?
    package var field: String
    package var problem: String

    package init(id: Snowflake? = nil, field: String, problem: String) {
        self.id = id
        self.field = field
        self.problem = problem
    }

    package var description: String {
        "message \(id.map(\.description) ?? "without an id"): '\(field)' \(problem)"
    }
}

/// The text of embeds as a reader sees it, top to bottom, one part a line.
package enum EmbedText {
    /// Author, title, description, then each field as `name: value`, then the footer; embeds are parted by an empty
    /// line. `nil` when there is no text at all.
    package static func flatten(_ embeds: JSONView) -> String? {
        var blocks: [String] = []
        for embed in embeds.elements {
            var lines: [String] = []
            func add(_ text: String?) {
                if let text, !text.isEmpty { lines.append(text) }
            }
            add(embed["author"]?["name"]?.string)
            add(embed["title"]?.string)
            add(embed["description"]?.string)
            if let fields = embed["fields"] {
                for field in fields.elements {
                    let name = field["name"]?.string ?? ""
                    let value = field["value"]?.string ?? ""
                    add(name.isEmpty ? value : "\(name): \(value)")
                }
            }
            add(embed["footer"]?["text"]?.string)
            if !lines.isEmpty { blocks.append(lines.joined(separator: "\n")) }
        }
        return blocks.isEmpty ? nil : blocks.joined(separator: "\n\n")
    }
}
