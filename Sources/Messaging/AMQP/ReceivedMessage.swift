import CRabbitMQ

/// The properties of a message that Chaffinch reads.
struct MessageProperties: Sendable, Equatable {
    var type: String?
    var messageID: String?
    /// Seconds since 1970.
    var timestamp: UInt64?
    var headers: [AMQPField] = []

    init() {}

    init(_ properties: amqp_basic_properties_t) {
        func has(_ flag: Int32) -> Bool { properties._flags & UInt32(flag) != 0 }
        if has(AMQP_BASIC_TYPE_FLAG) { type = String(properties.type) }
        if has(AMQP_BASIC_MESSAGE_ID_FLAG) { messageID = String(properties.message_id) }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { timestamp = properties.timestamp }
        if has(AMQP_BASIC_HEADERS_FLAG) { headers = [AMQPField](properties.headers) }
    }
}

/// A message that came with `basic.deliver`, `basic.return` or `basic.get-ok`: copied, nothing points into the library.
struct ReceivedMessage: Sendable, Equatable {
    var exchange: String
    var routingKey: String
    var properties = MessageProperties()
    var body: [UInt8] = []
}

/// What the broker sent.
enum AMQPEvent: Sendable, Equatable {
    case delivered(ReceivedMessage, consumerTag: String, deliveryTag: UInt64, redelivered: Bool)
    case returned(ReceivedMessage, code: Int, reason: String)
    case got(ReceivedMessage, deliveryTag: UInt64)
    case confirmed(tag: UInt64, multiple: Bool, acknowledged: Bool)
    case consuming(consumerTag: String)
    case cancelled(consumerTag: String)
    /// The broker itself ended a consumer: its queue was deleted, or has lost its leader.
    case cancelledByBroker(consumerTag: String)
    case blocked(reason: String)
    case unblocked
    /// The answer to a call, with the two counts of `queue.declare-ok`.
    case answered(method: UInt32, messages: Int, consumers: Int)
}

/// Puts a message together from its method, header and body frames.
struct ContentAssembler {
    private var pending: AMQPEvent?
    private var message = ReceivedMessage(exchange: "", routingKey: "")
    private var expected: UInt64 = 0
    private var hasHeader = false

    /// Begins a message; `event` carries everything but the content.
    mutating func begin(_ event: AMQPEvent, exchange: String, routingKey: String) {
        pending = event
        message = ReceivedMessage(exchange: exchange, routingKey: routingKey)
        hasHeader = false
    }

    /// - Returns: the finished message's event, when it has no body.
    mutating func header(_ properties: amqp_basic_properties_t, bodySize: UInt64) -> AMQPEvent? {
        guard pending != nil else { return nil }
        message.properties = MessageProperties(properties)
        message.body.reserveCapacity(Int(clamping: min(bodySize, 64 << 20)))
        expected = bodySize
        hasHeader = true
        return finished()
    }

    mutating func body(_ fragment: UnsafeRawBufferPointer) -> AMQPEvent? {
        guard pending != nil, hasHeader else { return nil }
        message.body.append(contentsOf: fragment)
        return finished()
    }

    private mutating func finished() -> AMQPEvent? {
        guard let event = pending, UInt64(message.body.count) >= expected else { return nil }
        pending = nil
        defer { message = ReceivedMessage(exchange: "", routingKey: "") }
        return switch event {
        case .delivered(_, let consumerTag, let deliveryTag, let redelivered):
            .delivered(message, consumerTag: consumerTag, deliveryTag: deliveryTag, redelivered: redelivered)
        case .returned(_, let code, let reason): .returned(message, code: code, reason: reason)
        case .got(_, let deliveryTag): .got(message, deliveryTag: deliveryTag)
        default: event
        }
    }
}
