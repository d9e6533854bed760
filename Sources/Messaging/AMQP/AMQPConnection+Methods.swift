import CRabbitMQ

/// The methods Chaffinch uses, each by its AMQP name.
extension AMQPConnection {
    func confirmSelect() throws {
        var fields = amqp_confirm_select_t()
        try call(AMQPMethod.confirmSelect, &fields, answer: AMQPMethod.confirmSelectOK)
    }

    func declare(_ exchange: ExchangeDeclaration) throws {
        var fields = amqp_exchange_declare_t()
        fields.exchange = arena.bytes(exchange.name)
        fields.type = arena.bytes(exchange.kind.rawValue)
        fields.durable = 1
        try call(AMQPMethod.exchangeDeclare, &fields, answer: AMQPMethod.exchangeDeclareOK)
    }

    func declare(queue: String, arguments: [AMQPField]) throws {
        var fields = amqp_queue_declare_t()
        fields.queue = arena.bytes(queue)
        fields.durable = 1
        fields.arguments = arena.table(arguments)
        try call(AMQPMethod.queueDeclare, &fields, answer: AMQPMethod.queueDeclareOK)
    }

    /// How many messages wait in a queue and how many consumers it has. Closes the channel when it does not exist.
    func counts(queue: String) throws -> (messages: Int, consumers: Int) {
        var fields = amqp_queue_declare_t()
        fields.queue = arena.bytes(queue)
        fields.passive = 1
        let answer = try call(AMQPMethod.queueDeclare, &fields, answer: AMQPMethod.queueDeclareOK)
        guard case .answered(_, let messages, let consumers) = answer else { return (0, 0) }
        return (messages, consumers)
    }

    func bind(queue: String, to exchange: String, routingKey: String) throws {
        var fields = amqp_queue_bind_t()
        fields.queue = arena.bytes(queue)
        fields.exchange = arena.bytes(exchange)
        fields.routing_key = arena.bytes(routingKey)
        try call(AMQPMethod.queueBind, &fields, answer: AMQPMethod.queueBindOK)
    }

    func delete(queue: String) throws {
        var fields = amqp_queue_delete_t()
        fields.queue = arena.bytes(queue)
        try call(AMQPMethod.queueDelete, &fields, answer: AMQPMethod.queueDeleteOK)
    }

    func delete(exchange: String) throws {
        var fields = amqp_exchange_delete_t()
        fields.exchange = arena.bytes(exchange)
        try call(AMQPMethod.exchangeDelete, &fields, answer: AMQPMethod.exchangeDeleteOK)
    }

    /// Applies to the consumers that start after it on this channel, each for itself.
    func setPrefetch(_ count: Int) throws {
        var fields = amqp_basic_qos_t()
        fields.prefetch_count = UInt16(clamping: count)
        try send(AMQPMethod.basicQoS, &fields)
    }

    /// Answered by ``AMQPEvent/consuming(consumerTag:)``.
    func consume(queue: String, consumerTag: String) throws {
        var fields = amqp_basic_consume_t()
        fields.queue = arena.bytes(queue)
        fields.consumer_tag = arena.bytes(consumerTag)
        try send(AMQPMethod.basicConsume, &fields)
    }

    /// Answered by ``AMQPEvent/cancelled(consumerTag:)``.
    func cancel(consumerTag: String) throws {
        var fields = amqp_basic_cancel_t()
        fields.consumer_tag = arena.bytes(consumerTag)
        try send(AMQPMethod.basicCancel, &fields)
    }

    func acknowledge(_ tag: UInt64, multiple: Bool = false) throws {
        var fields = amqp_basic_ack_t()
        fields.delivery_tag = tag
        fields.multiple = multiple ? 1 : 0
        try send(AMQPMethod.basicAck, &fields)
    }

    func reject(_ tag: UInt64, requeue: Bool) throws {
        var fields = amqp_basic_reject_t()
        fields.delivery_tag = tag
        fields.requeue = requeue ? 1 : 0
        try send(AMQPMethod.basicReject, &fields)
    }

    /// Takes one message, if the queue has one; it wants an acknowledgement.
    func get(queue: String) throws -> (message: ReceivedMessage, tag: UInt64)? {
        var fields = amqp_basic_get_t()
        fields.queue = arena.bytes(queue)
        try send(AMQPMethod.basicGet, &fields)
        let answer = try wait(upTo: .seconds(10)) { event in
            switch event {
            case .got, .answered(AMQPMethod.basicGetEmpty, _, _): true
            default: false
            }
        }
        guard let answer else { throw BrokerError(.timeout, "'\(queue)' did not answer a get within 10 s") }
        guard case .got(let message, let tag) = answer else { return nil }
        return (message, tag)
    }
}
