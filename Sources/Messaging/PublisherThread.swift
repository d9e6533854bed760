import Logging
import Synchronization

/// The thread that owns a publisher's connection: it waits for the socket and for commands, and nothing else blocks it.
final class PublisherThread: @unchecked Sendable {
    // Sendable because everything mutable is touched by the thread alone; others reach it through `mailbox` and read
    // `isConnected`.

    enum Command: Sendable {
        case publish(UInt64, PublishBatch)
        case abandon(UInt64)
        case close(CheckedContinuation<Void, Never>?)
    }

    let mailbox = Mailbox<Command>()
    let isConnected = Atomic(false)
    let isBlocked = Atomic(false)

    /// Beyond this many unconfirmed messages nothing more is sent: a resend stays short.
    private static let window = 1024

    private struct Item {
        let batch: UInt64
        let index: Int
    }

    private let address: BrokerAddress
    private let name: String
    private let logger: Logger
    private let onMissing: @Sendable (String) -> Void
    private var reconnection: Reconnection
    private var batches: [UInt64: PublishBatch] = [:]
    /// Not sent yet; taken from `position` on.
    private var queue: [Item] = []
    private var position = 0
    private var tracker = ConfirmTracker<Item>()
    private var isClosing = false
    private var closers: [CheckedContinuation<Void, Never>] = []

    init(address: BrokerAddress, name: String, logger: Logger, onMissing: @escaping @Sendable (String) -> Void) {
        self.address = address
        self.name = name
        self.logger = logger
        self.onMissing = onMissing
        reconnection = Reconnection(address, name: name, logger: logger)
    }

    func start() {
        startThread(named: "publisher") { [self] in run() }
    }

    private func run() {
        while !isClosing {
            do {
                try session()
            } catch {
                isConnected.store(false, ordering: .relaxed)
                requeueUnconfirmed()
                if let error = error as? BrokerError, error.tellsOfMissing { onMissing(error.message) }
                rest(reconnection.lost(error))
            }
        }
        finish()
    }

    /// Until the publisher is closed; throws when the connection breaks.
    private func session() throws {
        let connection = try AMQPConnection(address, name: name)
        try connection.confirmSelect()
        reconnection.opened()
        isBlocked.store(false, ordering: .relaxed)
        isConnected.store(true, ordering: .relaxed)
        defer { isConnected.store(false, ordering: .relaxed) }
        while true {
            handleCommands()
            if isClosing { break }
            try drain(connection)
            let stalled = try sendWaiting(connection)
            guard !connection.hasBufferedInput else { continue }
            mailbox.wait(upTo: AMQPConnection.serviceInterval, socket: connection.socket, orWritable: stalled)
        }
        connection.close()
    }

    /// - Returns: whether there is more to send, but the socket takes no more now.
    private func sendWaiting(_ connection: AMQPConnection) throws -> Bool {
        while position < queue.count, tracker.count < Self.window, !connection.isBlocked {
            let readiness = socketReadiness(connection.socket)
            if readiness.canRead { try drain(connection) }
            if connection.isBlocked { break }
            if !readiness.canWrite { return true }
            let item = queue[position]
            position += 1
            guard let batch = batches[item.batch] else { continue }
            tracker.published(item)
            try connection.publish(batch.messages[item.index])
        }
        queue.removeFirst(position)
        position = 0
        return false
    }

    private func drain(_ connection: AMQPConnection) throws {
        while let event = try connection.nextEvent() { handle(event) }
    }

    private func handle(_ event: AMQPEvent) {
        switch event {
        case .confirmed(let tag, let multiple, let acknowledged):
            let verdicts = tracker.confirmed(tag: tag, multiple: multiple, acknowledged: acknowledged)
            for (item, result) in verdicts { settle(item, result) }
        case .returned(let message, let code, let reason):
            tracker.returned(code: code, reason: reason) { item in
                guard let sent = batches[item.batch]?.messages[item.index] else { return false }
                return sent.messageID == message.properties.messageID && sent.exchange == message.exchange
                    && sent.routingKey == message.routingKey
            }
        case .blocked(let reason):
            isBlocked.store(true, ordering: .relaxed)
            logger.warning("the broker takes no publishes for now", metadata: ["reason": "\(reason)"])
        case .unblocked:
            isBlocked.store(false, ordering: .relaxed)
            logger.notice("the broker takes publishes again")
        default: break
        }
    }

    private func settle(_ item: Item, _ result: PublishResult) {
        guard batches[item.batch]?.settle(item.index, result) == true else { return }
        batches.removeValue(forKey: item.batch)?.finish()
    }

    private func handleCommands() {
        for command in mailbox.take() {
            switch command {
            case .publish(let id, let batch):
                guard !batch.cancellation.isSet.load(ordering: .relaxed) else {
                    batch.continuation.resume(throwing: CancellationError())
                    continue
                }
                batches[id] = batch
                queue.append(contentsOf: batch.messages.indices.map { Item(batch: id, index: $0) })
            case .abandon(let id):
                batches.removeValue(forKey: id)?.continuation.resume(throwing: CancellationError())
            case .close(let closer):
                isClosing = true
                if let closer { closers.append(closer) }
            }
        }
    }

    /// In front of what was never sent, so that the order stays.
    private func requeueUnconfirmed() {
        let unconfirmed = tracker.takeUnconfirmed().filter { batches[$0.batch] != nil }
        queue = unconfirmed + queue[position...]
        position = 0
    }

    /// Waits, but goes on taking commands.
    private func rest(_ duration: Duration) {
        let end = ContinuousClock.now + duration
        while !isClosing, ContinuousClock.now < end {
            mailbox.wait(upTo: end - .now)
            handleCommands()
        }
    }

    private func finish() {
        for batch in batches.values { batch.continuation.resume(throwing: PublisherClosed()) }
        batches = [:]
        for command in mailbox.close() {
            switch command {
            case .publish(_, let batch): batch.continuation.resume(throwing: PublisherClosed())
            case .abandon: break
            case .close(let closer): closer?.resume()
            }
        }
        for closer in closers { closer.resume() }
    }
}
