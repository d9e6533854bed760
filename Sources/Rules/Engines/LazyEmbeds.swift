internal import Model

/// The embeds of the message at hand, read from its payload when a rule first asks for them.
struct LazyEmbeds {
    private var isRead = false
    private var embeds: JSONView?

    /// The array of embeds; that of the message it forwards, when it has no text of its own. `nil` without embeds.
    mutating func read(_ message: Message) -> JSONView? {
        guard message.embedText != nil else { return nil }
        if !isRead {
            isRead = true
            embeds = (try? JSONDocument(message.payload)).flatMap { Self.find(in: $0.root) }
        }
        return embeds
    }

    private static func find(in message: JSONView) -> JSONView? {
        if let own = message["embeds"], EmbedText.flatten(own) != nil { return own }
        var snapshots = message["message_snapshots"]?.elements
        return snapshots?.next()?["message"]?["embeds"]
    }
}
