import Model

/// A message of a recording, written with every member that Discord sends for it.
struct RecordedMessage {
    struct Author {
        var id: UInt64
        var name: String
        var isBot = false
    }

    var id: UInt64
    var channelID: UInt64
    var guildID: UInt64
    var author: Author
    var content: String
    var sentAt: Timestamp
    var editedAt: Timestamp?
    /// Discord's message type: 0 default, 19 reply, 7 a member joined, 8 a boost.
    var type = 0
    /// JSON text.
    var embeds = "[]"
    /// The message that is replied to.
    var repliesTo: Referenced?
    /// The text of a message forwarded from another channel; its own content is empty then.
    var forwarded: String?

    /// What a reply carries of the message it answers: where it is, and the message itself.
    struct Referenced {
        var id: UInt64
        var line: [UInt8]
    }

    var isIngestible: Bool { Message.ingestibleTypes.contains(type) }

    /// The JSON object on one line, without a newline.
    func line() -> [UInt8] {
        var writer = JSONWriter(reserving: 900)
        writer.object { writer in
            func raw(_ name: String, _ json: some Sequence<UInt8>) {
                writer.key(name)
                writer.raw(json)
            }
            func text(_ name: String, _ value: String) {
                writer.key(name)
                writer.value(value)
            }
            raw("type", String(type).utf8)
            text("content", forwarded == nil ? content : "")
            raw("mentions", "[]".utf8)
            raw("mention_roles", "[]".utf8)
            raw("attachments", "[]".utf8)
            raw("embeds", embeds.utf8)
            text("timestamp", MessageObject.timestamp(sentAt))
            if let editedAt {
                text("edited_timestamp", MessageObject.timestamp(editedAt))
            } else {
                raw("edited_timestamp", "null".utf8)
            }
            // 1 << 14 marks a forwarded message.
            raw("flags", (forwarded == nil ? "0" : "16384").utf8)
            raw("components", "[]".utf8)
            text("id", String(id))
            text("channel_id", String(channelID))
            raw("author", MessageObject.author(id: author.id, name: author.name, isBot: author.isBot).utf8)
            raw("pinned", "false".utf8)
            raw("mention_everyone", "false".utf8)
            raw("tts", "false".utf8)
            if let repliesTo {
                raw("message_reference", reference(to: repliesTo.id, type: 0).utf8)
                raw("referenced_message", repliesTo.line)
            }
            if let forwarded {
                raw("message_reference", reference(to: id - 1, type: 1).utf8)
                raw("message_snapshots", snapshots(of: forwarded))
            }
        }
        return writer.bytes
    }

    private func reference(to id: UInt64, type: Int) -> String {
        """
        {"type":\(type),"channel_id":"\(channelID)","message_id":"\(id)","guild_id":"\(guildID)"}
        """
    }

    private func snapshots(of text: String) -> [UInt8] {
        var content = JSONWriter()
        content.value(text)
        let sent = MessageObject.timestamp(sentAt)
        return Array(
            """
            [{"message":{"type":0,"content":\(content.text),"mentions":[],"mention_roles":[],"attachments":[],\
            "embeds":[],"timestamp":"\(sent)","edited_timestamp":null,"flags":0,"components":[]}}]
            """.utf8
        )
    }
}
