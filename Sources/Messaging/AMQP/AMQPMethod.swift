import CRabbitMQ

/// The methods we send and read, and what the broker's mean. Numbers are `class << 16 | method` of AMQP 0-9-1.
enum AMQPMethod {
    static let connectionClose: UInt32 = 0x000A_0032
    static let connectionCloseOK: UInt32 = 0x000A_0033
    static let connectionBlocked: UInt32 = 0x000A_003C
    static let connectionUnblocked: UInt32 = 0x000A_003D
    static let channelOpen: UInt32 = 0x0014_000A
    static let channelOpenOK: UInt32 = 0x0014_000B
    static let channelClose: UInt32 = 0x0014_0028
    static let exchangeDeclare: UInt32 = 0x0028_000A
    static let exchangeDeclareOK: UInt32 = 0x0028_000B
    static let queueDeclare: UInt32 = 0x0032_000A
    static let queueDeclareOK: UInt32 = 0x0032_000B
    static let queueBind: UInt32 = 0x0032_0014
    static let queueBindOK: UInt32 = 0x0032_0015
    static let queueDelete: UInt32 = 0x0032_0028
    static let queueDeleteOK: UInt32 = 0x0032_0029
    static let exchangeDelete: UInt32 = 0x0028_0014
    static let exchangeDeleteOK: UInt32 = 0x0028_0015
    static let basicQoS: UInt32 = 0x003C_000A
    static let basicConsume: UInt32 = 0x003C_0014
    static let basicConsumeOK: UInt32 = 0x003C_0015
    static let basicCancel: UInt32 = 0x003C_001E
    static let basicCancelOK: UInt32 = 0x003C_001F
    static let basicReturn: UInt32 = 0x003C_0032
    static let basicDeliver: UInt32 = 0x003C_003C
    static let basicGet: UInt32 = 0x003C_0046
    static let basicGetOK: UInt32 = 0x003C_0047
    static let basicGetEmpty: UInt32 = 0x003C_0048
    static let basicAck: UInt32 = 0x003C_0050
    static let basicReject: UInt32 = 0x003C_005A
    static let basicNack: UInt32 = 0x003C_0078
    static let confirmSelect: UInt32 = 0x0055_000A
    static let confirmSelectOK: UInt32 = 0x0055_000B

    enum Meaning {
        case event(AMQPEvent)
        /// A header and a body follow.
        case content(AMQPEvent, exchange: String, routingKey: String)
        /// The broker closed channel or connection; a connection's close wants an answer.
        case closed(BrokerError, answer: UInt32?)
    }

    static func meaning(of method: amqp_method_t) -> Meaning {
        guard let decoded = method.decoded else { return .event(answered(method.id)) }
        switch method.id {
        case basicDeliver, basicReturn, basicGetOK: return content(method.id, decoded)
        case basicAck:
            let ack = decoded.load(as: amqp_basic_ack_t.self)
            return .event(.confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0, acknowledged: true))
        case basicNack:
            let nack = decoded.load(as: amqp_basic_nack_t.self)
            return .event(.confirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0, acknowledged: false))
        case basicConsumeOK:
            let tag = decoded.load(as: amqp_basic_consume_ok_t.self).consumer_tag
            return .event(.consuming(consumerTag: String(tag)))
        case basicCancelOK:
            let tag = decoded.load(as: amqp_basic_cancel_ok_t.self).consumer_tag
            return .event(.cancelled(consumerTag: String(tag)))
        case basicCancel:
            let tag = decoded.load(as: amqp_basic_cancel_t.self).consumer_tag
            return .event(.cancelledByBroker(consumerTag: String(tag)))
        case connectionBlocked:
            return .event(.blocked(reason: String(decoded.load(as: amqp_connection_blocked_t.self).reason)))
        case connectionUnblocked: return .event(.unblocked)
        case queueDeclareOK:
            let queue = decoded.load(as: amqp_queue_declare_ok_t.self)
            return .event(
                .answered(
                    method: method.id,
                    messages: Int(queue.message_count),
                    consumers: Int(queue.consumer_count)
                )
            )
        case channelClose:
            let close = decoded.load(as: amqp_channel_close_t.self)
            return .closed(error(Int(close.reply_code), String(close.reply_text)), answer: nil)
        case connectionClose:
            let close = decoded.load(as: amqp_connection_close_t.self)
            return .closed(error(Int(close.reply_code), String(close.reply_text)), answer: connectionCloseOK)
        default: return .event(answered(method.id))
        }
    }

    private static func content(_ id: UInt32, _ decoded: UnsafeMutableRawPointer) -> Meaning {
        let empty = ReceivedMessage(exchange: "", routingKey: "")
        switch id {
        case basicDeliver:
            let deliver = decoded.load(as: amqp_basic_deliver_t.self)
            return .content(
                .delivered(
                    empty,
                    consumerTag: String(deliver.consumer_tag),
                    deliveryTag: deliver.delivery_tag,
                    redelivered: deliver.redelivered != 0
                ),
                exchange: String(deliver.exchange),
                routingKey: String(deliver.routing_key)
            )
        case basicReturn:
            let returned = decoded.load(as: amqp_basic_return_t.self)
            return .content(
                .returned(empty, code: Int(returned.reply_code), reason: String(returned.reply_text)),
                exchange: String(returned.exchange),
                routingKey: String(returned.routing_key)
            )
        default:
            let got = decoded.load(as: amqp_basic_get_ok_t.self)
            return .content(
                .got(empty, deliveryTag: got.delivery_tag),
                exchange: String(got.exchange),
                routingKey: String(got.routing_key)
            )
        }
    }

    private static func answered(_ method: UInt32) -> AMQPEvent { .answered(method: method, messages: 0, consumers: 0) }

    private static func error(_ code: Int, _ text: String) -> BrokerError {
        BrokerError(.closed(code), "the broker closed the connection: \(text) (\(code))")
    }
}
