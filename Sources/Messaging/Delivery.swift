package import Model

/// A message as a queue handed it out, which waits for ``Consumer/acknowledge(_:)-(Delivery)`` or
/// ``Consumer/reject(_:)``.
package struct Delivery: Sendable {
    package let body: [UInt8]
    /// The AMQP `type`.
    package let type: String?
    package let messageID: String?
    /// `nil` when the message is not one of ours.
    package let headers: WireHeaders?
    /// When it was published, to the second.
    package let timestamp: Timestamp?
    /// Handed out before, to us or to another consumer.
    package let redelivered: Bool
    /// How often it has been handed out before without an acknowledgement: 0 the first time. The larger of
    /// `x-delivery-count` and `x-acquired-count`, which RabbitMQ 4.3 splits.
    package let deliveryCount: Int
    /// The queue it came from.
    package let queue: String
    package let routingKey: String
    /// Why it was last dead-lettered: `rejected`, `expired`, `maxlen` or `delivery_limit`.
    package let deathReason: String?
    /// The queue it was last dead-lettered from.
    package let deathQueue: String?
    /// The queue it was first dead-lettered from.
    package let firstDeathQueue: String?

    let tag: UInt64
    /// Which connection of the consumer it came over: a tag means nothing on another one.
    let epoch: UInt64
}

extension Delivery {
    init(_ message: ReceivedMessage, tag: UInt64, redelivered: Bool, queue: String, epoch: UInt64) {
        let properties = message.properties
        let deaths = properties.headers["x-death"]?.array ?? []
        self.init(
            body: message.body,
            type: properties.type,
            messageID: properties.messageID,
            headers: WireHeaders(properties.headers),
            timestamp: properties.timestamp.flatMap { seconds in
                seconds < Self.endOfYear9999 ? Timestamp(microseconds: Int64(seconds) * 1_000_000) : nil
            },
            redelivered: redelivered,
            deliveryCount: Self.deliveryCount(properties.headers),
            queue: queue,
            routingKey: message.routingKey,
            deathReason: deaths.first?.table?["reason"]?.string,
            deathQueue: deaths.first?.table?["queue"]?.string,
            firstDeathQueue: properties.headers["x-first-death-queue"]?.string
                ?? deaths.last?.table?["queue"]?.string,
            tag: tag,
            epoch: epoch
        )
    }

    /// No database takes all that an unsigned number of seconds can say.
    private static let endOfYear9999: UInt64 = 253_402_300_800

    private static func deliveryCount(_ headers: [AMQPField]) -> Int {
        let counts = ["x-delivery-count", "x-acquired-count"].compactMap { headers[$0]?.integer }
        return counts.max().flatMap { Int(exactly: $0) } ?? 0
    }
}
