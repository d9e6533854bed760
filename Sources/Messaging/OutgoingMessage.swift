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

/// What the broker said about one message.
package enum PublishResult: Sendable, Equatable {
    /// On the disks of a majority of the queue's members.
    case confirmed
    /// Negatively acknowledged: the queue is full, or cannot work now. The message is not in it.
    case refused
    /// No queue is bound for it (312 NO_ROUTE).
    case returned(code: Int, reason: String)
}
