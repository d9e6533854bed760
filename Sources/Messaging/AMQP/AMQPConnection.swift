import CRabbitMQ
import Foundation

/// One connection to the broker with one channel, used by one thread only, which it may block.
///
/// Opening, logging in and the channel are one step, since logging in before a socket exists aborts the process. When
/// anything throws, the connection is of no more use and is to be let go.
final class AMQPConnection {
    static let channel: amqp_channel_t = 1
    /// Seconds. Heartbeats are served only inside library calls, so callers come back within ``serviceInterval``.
    static let heartbeat: Int32 = 10
    static let serviceInterval: Duration = .seconds(4)
    static let frameBytes: Int32 = 131_072

    private static let connectLimit: Duration = .seconds(10)
    private static let callLimit: Duration = .seconds(30)
    /// For calls that should not wait at all; the watchdog's own resolution is a second.
    private static let ioLimit: Duration = .seconds(15)

    let arena = AMQPArena()
    /// Set while the broker takes no publishing on this connection: its memory or disk is short.
    private(set) var isBlocked = false

    private let state: amqp_connection_state_t
    private let guarded = CallGuard()
    private var assembler = ContentAssembler()
    private var backlog: [AMQPEvent] = []
    private var isOpen = false

    /// - Parameter name: shown by `rabbitmqctl list_connections`.
    /// - Throws: ``BrokerError``.
    init(_ address: BrokerAddress, name: String) throws {
        guard let state = amqp_new_connection() else { fatalError("out of memory") }
        self.state = state
        try openSocket(address)
        guarded.watch(socket: amqp_get_sockfd(state))
        try guarded.within(.seconds(20)) { try logIn(address, name: name) }
        isOpen = true
        var open = amqp_channel_open_t()
        try call(AMQPMethod.channelOpen, &open, answer: AMQPMethod.channelOpenOK)
    }

    deinit {
        guarded.release()
        amqp_destroy_connection(state)
    }

    var socket: Int32 { amqp_get_sockfd(state) }

    /// Says goodbye, where the broker listens; errors no longer matter.
    func close() {
        guard isOpen, !isBlocked else { return }
        isOpen = false
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        amqp_set_rpc_timeout(state, &limit)
        _ = guarded.within(.seconds(4)) { amqp_connection_close(state, Int32(AMQP_REPLY_SUCCESS)) }
    }

    // MARK: Receiving

    /// The next thing the broker sent, without waiting; `nil` when there is nothing. Serves heartbeats.
    func nextEvent() throws -> AMQPEvent? {
        guard backlog.isEmpty else { return backlog.removeFirst() }
        return try receive(waiting: .zero)
    }

    /// Whether bytes were read from the socket that ``nextEvent()`` has not returned yet; polling cannot see those.
    var hasBufferedInput: Bool {
        !backlog.isEmpty || amqp_frames_enqueued(state) != 0 || amqp_data_in_buffer(state) != 0
    }

    private func receive(waiting limit: Duration) throws -> AMQPEvent? {
        while true {
            var frame = amqp_frame_t()
            var wait = timeval(limit)
            let status = guarded.within(Self.ioLimit + limit) {
                amqp_simple_wait_frame_noblock(state, &frame, &wait)
            }
            if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
            try check(status, "reading")
            // Everything is copied by `event`, so the library may have its memory back at once.
            defer { amqp_maybe_release_buffers_on_channel(state, frame.channel) }
            if let event = try event(of: frame) { return event }
        }
    }

    private func event(of frame: amqp_frame_t) throws -> AMQPEvent? {
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD: return try methodEvent(frame.payload.method)
        case AMQP_FRAME_HEADER:
            guard let decoded = frame.payload.properties.decoded else { return nil }
            let properties = decoded.load(as: amqp_basic_properties_t.self)
            return assembler.header(properties, bodySize: frame.payload.properties.body_size)
        case AMQP_FRAME_BODY:
            let fragment = frame.payload.body_fragment
            return assembler.body(UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
        default: return nil
        }
    }

    private func methodEvent(_ method: amqp_method_t) throws -> AMQPEvent? {
        switch AMQPMethod.meaning(of: method) {
        case .event(.blocked(let reason)):
            isBlocked = true
            return .blocked(reason: reason)
        case .event(.unblocked):
            isBlocked = false
            return .unblocked
        case .event(let event): return event
        case .content(let event, let exchange, let routingKey):
            assembler.begin(event, exchange: exchange, routingKey: routingKey)
            return nil
        case .closed(let error, let answer):
            isOpen = false
            if let answer {
                var empty: UInt8 = 0
                _ = guarded.within(Self.ioLimit) { amqp_send_method(state, 0, answer, &empty) }
            }
            throw error
        }
    }

    // MARK: Sending

    /// Sends a method that is not answered, or whose answer comes as an event.
    func send<Fields: BitwiseCopyable>(_ method: UInt32, _ fields: inout Fields) throws {
        let status = guarded.within(Self.ioLimit) { amqp_send_method(state, Self.channel, method, &fields) }
        arena.recycle()
        try check(status, "sending")
    }

    /// Sends a method and waits for its answer; what else arrives meanwhile is kept for ``nextEvent()``.
    @discardableResult
    func call<Fields: BitwiseCopyable>(_ method: UInt32, _ fields: inout Fields, answer: UInt32) throws -> AMQPEvent {
        try send(method, &fields)
        let answer = try wait(upTo: Self.callLimit) { event in
            if case .answered(answer, _, _) = event { true } else { false }
        }
        guard let answer else { throw BrokerError(.timeout, "the broker did not answer within 30 s") }
        return answer
    }

    /// Waits for an event; the others are kept for ``nextEvent()``. `nil` when the time is over.
    func wait(upTo limit: Duration, for isWanted: (AMQPEvent) -> Bool) throws -> AMQPEvent? {
        if let index = backlog.firstIndex(where: isWanted) { return backlog.remove(at: index) }
        let deadline = ContinuousClock.now + limit
        while true {
            let left = deadline - .now
            if left <= .zero { return nil }
            guard let event = try receive(waiting: min(left, Self.serviceInterval)) else { continue }
            if isWanted(event) { return event }
            backlog.append(event)
        }
    }

    /// Publishes mandatory. That it returns proves nothing; only the confirm does.
    func publish(_ message: OutgoingMessage) throws {
        var properties = amqp_basic_properties_t()
        properties._flags = UInt32(
            AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG
                | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_HEADERS_FLAG
        )
        properties.content_type = arena.bytes("application/json")
        properties.delivery_mode = UInt8(AMQP_DELIVERY_PERSISTENT.rawValue)
        properties.message_id = arena.bytes(message.messageID)
        properties.timestamp = UInt64(time(nil))
        properties.headers = arena.table(message.headers.fields)
        if let type = message.type {
            properties._flags |= UInt32(AMQP_BASIC_TYPE_FLAG)
            properties.type = arena.bytes(type)
        }
        let exchange = arena.bytes(message.exchange)
        let routingKey = arena.bytes(message.routingKey)
        let status = message.body.withUnsafeBytes { body in
            let body = amqp_bytes_t(len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress))
            return guarded.within(Self.ioLimit) {
                amqp_basic_publish(state, Self.channel, exchange, routingKey, 1, 0, &properties, body)
            }
        }
        arena.recycle()
        try check(status, "publishing")
    }

    // MARK: Opening

    private func openSocket(_ address: BrokerAddress) throws {
        let socket = address.usesTLS ? try secureSocket(address) : amqp_tcp_socket_new(state)
        guard let socket else { throw BrokerError(.unavailable, "no socket could be made") }
        var limit = timeval(Self.connectLimit)
        let status = amqp_socket_open_noblock(socket, address.host, Int32(address.port), &limit)
        guard status == AMQP_STATUS_OK.rawValue else {
            throw BrokerError(
                .unavailable,
                "cannot connect to \(address.redacted): \(Self.text(status)); is RabbitMQ running there, and reachable?"
            )
        }
    }

    private func secureSocket(_ address: BrokerAddress) throws -> OpaquePointer? {
        guard let socket = amqp_ssl_socket_new(state) else { return nil }
        amqp_ssl_socket_set_verify_peer(socket, 1)
        amqp_ssl_socket_set_verify_hostname(socket, 1)
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST)
        let authorities =
            address.authorityFile ?? ProcessInfo.processInfo.environment["SSL_CERT_FILE"]
            ?? "/etc/ssl/certs/ca-certificates.crt"
        guard amqp_ssl_socket_set_cacert(socket, authorities) == AMQP_STATUS_OK.rawValue else {
            throw BrokerError(.unavailable, "cannot read the certificate authorities in \(authorities)")
        }
        if let certificate = address.certificateFile, let key = address.keyFile {
            guard amqp_ssl_socket_set_key(socket, certificate, key) == AMQP_STATUS_OK.rawValue else {
                throw BrokerError(.unavailable, "cannot use the client certificate \(certificate) with \(key)")
            }
        }
        return socket
    }

    private func logIn(_ address: BrokerAddress, name: String) throws {
        var limit = timeval(Self.connectLimit)
        amqp_set_handshake_timeout(state, &limit)
        amqp_set_rpc_timeout(state, &limit)
        // Without these two capabilities the broker says nothing when it deletes a queue or stops taking publishes.
        var properties = arena.table([
            AMQPField("product", .string("Chaffinch")), AMQPField("connection_name", .string(name)),
            AMQPField(
                "capabilities",
                .table([
                    AMQPField("consumer_cancel_notify", .boolean(true)),
                    AMQPField("connection.blocked", .boolean(true)),
                    AMQPField("publisher_confirms", .boolean(true)),
                    AMQPField("basic.nack", .boolean(true)),
                    AMQPField("authentication_failure_close", .boolean(true)),
                ])
            ),
        ])
        let reply = chaffinch_amqp_login(
            state,
            address.vhost,
            Self.frameBytes,
            Self.heartbeat,
            &properties,
            address.user,
            address.password
        )
        arena.recycle()
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            guard case .closed(let error, _) = AMQPMethod.meaning(of: reply.reply) else { fallthrough }
            switch error.code {
            case .closed(403), .closed(530):
                throw BrokerError(.accessRefused, "\(address.redacted) refused the login: \(error.message)")
            default: throw error
            }
        default:
            throw BrokerError(
                .unavailable,
                "cannot log in to \(address.redacted): \(Self.text(reply.library_error))"
            )
        }
    }

    // MARK: Errors

    private func check(_ status: Int32, _ act: String) throws {
        guard status != AMQP_STATUS_OK.rawValue else { return }
        isOpen = false
        if guarded.wasOverdue {
            throw BrokerError(.timeout, "\(act) hung, so the connection was shut down")
        }
        throw BrokerError(.unavailable, "the connection broke while \(act): \(Self.text(status))")
    }

    private static func text(_ status: Int32) -> String { String(cString: amqp_error_string2(status)) }
}

extension timeval {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    }
}
