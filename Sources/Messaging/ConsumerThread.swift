import Logging

/// The thread that owns a consumer's connection: it waits for the socket and for commands, and nothing else blocks it.
final class ConsumerThread: @unchecked Sendable {
    // Sendable because everything mutable is touched by the thread alone; others reach it through `mailbox` and
    // `inbox`.

    enum Command: Sendable {
        case acknowledge([Receipt])
        case reject(Receipt)
        case pause
        case resume
        case stop([Receipt], CheckedContinuation<Void, Never>)
        case close(CheckedContinuation<Void, Never>?)
    }

    let mailbox = Mailbox<Command>()
    let inbox = ConsumerInbox()

    private let address: BrokerAddress
    private let queues: [String]
    private let prefetch: Int
    private let name: String
    private let logger: Logger
    private let largestBody: Int
    private let onMissing: @Sendable (String) -> Void
    private var reconnection: Reconnection
    private var epoch: UInt64 = 0
    private var subscriptions: Subscriptions
    private var book = AcknowledgementBook()
    private var idle = IdleWatch(at: .now)
    private var pausedAt: ContinuousClock.Instant?
    private var isStopping = false
    private var isClosing = false
    private var stoppers: [CheckedContinuation<Void, Never>] = []
    private var closers: [CheckedContinuation<Void, Never>] = []

    init(
        address: BrokerAddress,
        queues: [String],
        prefetch: Int,
        name: String,
        logger: Logger,
        largestBody: Int,
        onMissing: @escaping @Sendable (String) -> Void
    ) {
        self.address = address
        self.queues = queues
        self.prefetch = prefetch
        self.name = name
        self.logger = logger
        self.largestBody = largestBody
        self.onMissing = onMissing
        reconnection = Reconnection(address, name: name, logger: logger)
        subscriptions = Subscriptions(queues: queues, prefetch: prefetch, name: name)
    }

    func start() {
        startThread(named: "consumer") { [self] in run() }
    }

    private func run() {
        while !isClosing {
            do {
                try session()
            } catch {
                forgetConnection()
                if let error = error as? BrokerError, error.tellsOfMissing { onMissing(error.message) }
                rest(reconnection.lost(error))
            }
            // Without a connection nothing can be consumed or acknowledged any more.
            while isStopping, !isClosing { rest(.seconds(3600)) }
        }
        finish()
    }

    /// Until the consumer is closed; throws when the connection breaks.
    private func session() throws {
        let connection = try AMQPConnection(address, name: name)
        epoch += 1
        book = AcknowledgementBook()
        idle = IdleWatch(at: .now)
        subscriptions = Subscriptions(queues: queues, prefetch: prefetch, name: name)
        inbox.setConnected(true)
        // A pause that was asked for meanwhile holds from the first delivery on.
        handleCommandsOffline()
        if pausedAt == nil, !isStopping, !isClosing {
            try perform(subscriptions.start(), on: connection)
        } else {
            reconnection.opened()
        }
        while true {
            try handleCommands(connection)
            if isClosing { break }
            while let event = try connection.nextEvent() { try handle(event, connection) }
            try flush(connection)
            try returnWhatIsParkedTooLong(connection)
            try lookWhetherForgotten(connection)
            guard !connection.hasBufferedInput else { continue }
            mailbox.wait(upTo: AMQPConnection.serviceInterval, socket: connection.socket)
        }
        try flush(connection)
        connection.close()
    }

    private func perform(_ steps: [Subscriptions.Step], on connection: AMQPConnection) throws {
        for step in steps {
            switch step {
            case .consume(let queue, let consumerTag, let prefetch):
                try connection.setPrefetch(prefetch)
                try connection.consume(queue: queue, consumerTag: consumerTag)
            case .cancel(let consumerTag): try connection.cancel(consumerTag: consumerTag)
            }
        }
    }

    // MARK: Events

    private func handle(_ event: AMQPEvent, _ connection: AMQPConnection) throws {
        switch event {
        case .delivered(let message, let consumerTag, let tag, let redelivered):
            book.delivered()
            let delivery = Delivery(
                message,
                tag: tag,
                redelivered: redelivered,
                queue: subscriptions.queue(of: consumerTag),
                epoch: epoch
            )
            try accept(delivery, connection)
        case .consuming(let consumerTag):
            subscriptions.accepted(consumerTag)
            if subscriptions.isComplete {
                reconnection.opened()
                inbox.setConsuming(!isStopping)
            }
        case .cancelled(let consumerTag):
            subscriptions.cancelled(consumerTag)
            if isStopping, subscriptions.isEmpty { resumeStoppers() }
        case .cancelledByBroker(let consumerTag):
            let queue = subscriptions.queue(of: consumerTag)
            throw BrokerError(.unavailable, "the broker ended the consumer of '\(queue)': was it deleted?")
        default: break
        }
    }

    private func accept(_ delivery: Delivery, _ connection: AMQPConnection) throws {
        if delivery.type == TopologySetup.probeType {
            book.acknowledge(delivery.tag)
        } else if isStopping {
            try giveBack([Receipt(delivery)], connection)
        } else if delivery.body.count > largestBody {
            logger.error(
                "a message is too large to be worked on; it goes to the dead letters",
                metadata: ["queue": "\(delivery.queue)", "bytes": "\(delivery.body.count)"]
            )
            if book.reject(delivery.tag) { try connection.reject(delivery.tag, requeue: false) }
        } else {
            inbox.add(delivery)
            if !delivery.redelivered, delivery.deliveryCount == 0, pausedAt == nil {
                try perform(subscriptions.widen(delivery.queue), on: connection)
            }
        }
    }

    // MARK: Commands

    private func handleCommands(_ connection: AMQPConnection) throws {
        for command in mailbox.take() {
            switch command {
            case .acknowledge(let receipts):
                for receipt in receipts where receipt.epoch == epoch { book.acknowledge(receipt.tag) }
            case .reject(let receipt):
                if receipt.epoch == epoch, book.reject(receipt.tag) {
                    try connection.reject(receipt.tag, requeue: false)
                }
            case .pause:
                pausedAt = .now
                inbox.setConsuming(false)
                try perform(subscriptions.stop(), on: connection)
            case .resume:
                pausedAt = nil
                if !isStopping { try perform(subscriptions.start(), on: connection) }
            case .stop(let unread, let stopper):
                isStopping = true
                stoppers.append(stopper)
                try perform(subscriptions.stop(), on: connection)
                try giveBack(unread, connection)
                if subscriptions.isEmpty { resumeStoppers() }
            case .close(let closer): beginClosing(closer)
            }
        }
    }

    /// Commands while there is no connection: nothing can be settled.
    private func handleCommandsOffline() {
        for command in mailbox.take() {
            switch command {
            case .acknowledge, .reject: break
            case .pause: pausedAt = .now
            case .resume: pausedAt = nil
            case .stop(_, let stopper):
                isStopping = true
                stopper.resume()
            case .close(let closer): beginClosing(closer)
            }
        }
    }

    private func beginClosing(_ closer: CheckedContinuation<Void, Never>?) {
        isClosing = true
        if let closer { closers.append(closer) }
    }

    private func giveBack(_ receipts: [Receipt], _ connection: AMQPConnection) throws {
        for receipt in receipts where receipt.epoch == epoch && book.reject(receipt.tag) {
            try connection.reject(receipt.tag, requeue: true)
        }
    }

    private func flush(_ connection: AMQPConnection) throws {
        for command in book.flush() {
            switch command {
            case .one(let tag): try connection.acknowledge(tag)
            case .allThrough(let tag): try connection.acknowledge(tag, multiple: true)
            }
        }
    }

    private func returnWhatIsParkedTooLong(_ connection: AMQPConnection) throws {
        guard let pausedAt, ContinuousClock.now - pausedAt > Consumer.parkingLimit else { return }
        try giveBack(inbox.takeUnread().map(Receipt.init), connection)
    }

    /// - Throws: when messages wait and none of them comes.
    private func lookWhetherForgotten(_ connection: AMQPConnection) throws {
        guard pausedAt == nil, !isStopping, subscriptions.isComplete, book.count == 0 else {
            return idle.busy(at: .now)
        }
        guard idle.isDue(at: .now) else { return }
        let waiting = try queues.first { try connection.counts(queue: $0).messages > 0 }
        guard idle.looked(somethingWaits: waiting != nil, at: .now), let waiting else { return }
        throw BrokerError(.unavailable, "messages wait in '\(waiting)' and none of them comes")
    }

    // MARK: The end of a connection

    private func forgetConnection() {
        inbox.setConnected(false)
        inbox.setConsuming(false)
        _ = inbox.takeUnread()
        resumeStoppers()
    }

    /// Waits, but goes on taking commands.
    private func rest(_ duration: Duration) {
        let end = ContinuousClock.now + duration
        let wasStopping = isStopping
        while !isClosing, isStopping == wasStopping, ContinuousClock.now < end {
            mailbox.wait(upTo: end - .now)
            handleCommandsOffline()
        }
    }

    private func resumeStoppers() {
        for stopper in stoppers { stopper.resume() }
        stoppers = []
    }

    private func finish() {
        forgetConnection()
        for command in mailbox.close() {
            switch command {
            case .stop(_, let stopper): stopper.resume()
            case .close(let closer): closer?.resume()
            default: break
            }
        }
        for closer in closers { closer.resume() }
    }
}
