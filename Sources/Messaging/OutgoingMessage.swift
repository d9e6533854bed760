import Model

/// A message to publish: always mandatory, persistent, `application/json`, with the time of publishing.
package struct OutgoingMessage: Sendable, Equatable {
    /// Empty: the default exchange, whose routing keys are queue names.
    package var exchange: String
    package var routingKey: String
    /// The AMQP `type`, such as `message.delete`.
    package var type: String?
    /// Stable across retries and replays. At most 255 bytes, as all AMQP short strings.
    package var messageID: String
    package var headers: WireHeaders
    package var body: [UInt8]

    package init(
        exchange: String,
        routingKey: String,
        type: String? = nil,
        messageID: String,
        headers: WireHeaders,
        body: [UInt8]
    ) {
        self.exchange = exchange
        self.routingKey = routingKey
        self.type = type
        self.messageID = messageID
        self.headers = headers
        self.body = body
    }
}

extension OutgoingMessage {
    /// RabbitMQ 4 closes the channel on a larger body, by default.
    package static let maximumBodyBytes = 16 << 20
    /// What AMQP allows a short string.
    private static let maximumShortBytes = 255
    /// The headers share a frame of 128 KiB with the other properties.
    private static let maximumHeaderBytes = 64 << 10

    /// A `message_id` that fits into a short string. One that is too long is cut, and ends in a hash of all of it, so that
    /// two of them stay two.
    package static func fitting(_ messageID: String) -> String {
        guard messageID.utf8.count > maximumShortBytes else { return messageID }
        var hash = StableHash()
        hash.add(messageID.utf8)
        // Room for the hash, and for a character that is cut in two and becomes one of three bytes.
        return String(decoding: messageID.utf8.prefix(maximumShortBytes - 20), as: UTF8.self) + "~" + hash.hexadecimal
    }

    /// Without this, a message the broker can never take would break one connection after the other.
    func checkLimits() throws {
        for text in [exchange, routingKey, messageID, type ?? ""] where text.utf8.count > Self.maximumShortBytes {
            throw UnpublishableMessage("'\(text.prefix(40))…' is longer than 255 bytes")
        }
        let headerBytes = headers.fields.reduce(0) { $0 + $1.name.utf8.count + ($1.value.string?.utf8.count ?? 8) }
        guard headerBytes <= Self.maximumHeaderBytes else {
            throw UnpublishableMessage("the headers of \(messageID) are larger than 64 KiB")
        }
        guard body.count <= Self.maximumBodyBytes else {
            throw UnpublishableMessage("the body of \(messageID) is larger than 16 MiB")
        }
    }
}

/// A message that no broker would take.
package struct UnpublishableMessage: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// What the broker said about one message.
package enum PublishResult: Sendable, Equatable {
    /// On the disks of a majority of the queue's members.
    case confirmed
    /// Negatively acknowledged: the queue is full, or cannot work now. The message is not in it.
    case refused
    /// No queue is bound for it (312 NO_ROUTE).
    case returned(code: Int, reason: String)
}
