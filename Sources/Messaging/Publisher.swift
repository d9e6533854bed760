package import Logging
import Synchronization

/// Publishes with confirms over a connection of its own, which it opens at once and keeps for ever: when it breaks, it
/// is opened anew with growing, jittered waits and what is unconfirmed is sent again. So a message can arrive twice,
/// never be lost.
package final class Publisher: Sendable {
    private let thread: PublisherThread
    private let nextBatch = Atomic<UInt64>(1)

    /// - Parameters:
    ///   - name: shown in the broker's list of connections and in log lines.
    ///   - onMissing: told, each time, that there is no such exchange, and why that is known. The connection is opened
    ///     anew meanwhile.
    package init(
        address: BrokerAddress,
        name: String,
        logger: Logger,
        onMissing: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        thread = PublisherThread(address: address, name: name, logger: logger, onMissing: onMissing)
        thread.start()
    }

    deinit {
        thread.mailbox.send(.close(nil))
    }

    package var isConnected: Bool { thread.isConnected.load(ordering: .relaxed) }

    /// Whether the broker is away, or takes no publishes because it is short of memory or disk.
    package var isHeldUp: Bool { !isConnected || thread.isBlocked.load(ordering: .relaxed) }

    /// Publishes and waits until the broker has spoken about every message; the results stand in the order of the
    /// messages. Several calls may be under way at once.
    ///
    /// There is no time limit: while the broker is away or takes no publishes, this waits. Cancel the task to give up;
    /// messages already sent may then still arrive.
    ///
    /// - Throws: `CancellationError`, ``PublisherClosed``, or ``UnpublishableMessage``, and then nothing was sent.
    package func publish(_ messages: [OutgoingMessage]) async throws -> [PublishResult] {
        guard !messages.isEmpty else { return [] }
        for message in messages { try message.checkLimits() }
        let id = nextBatch.wrappingAdd(1, ordering: .relaxed).oldValue
        let cancellation = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let batch = PublishBatch(messages: messages, cancellation: cancellation, continuation: continuation)
                if !thread.mailbox.send(.publish(id, batch)) { continuation.resume(throwing: PublisherClosed()) }
            }
        } onCancel: {
            cancellation.isSet.store(true, ordering: .relaxed)
            thread.mailbox.send(.abandon(id))
        }
    }

    /// Publishes one message; see ``publish(_:)-([OutgoingMessage])``.
    package func publish(_ message: OutgoingMessage) async throws -> PublishResult {
        try await publish([message])[0]
    }

    /// Closes the connection. Calls still waiting throw ``PublisherClosed``.
    package func close() async {
        await withCheckedContinuation { continuation in
            if !thread.mailbox.send(.close(continuation)) { continuation.resume() }
        }
    }
}

/// Set before a batch is abandoned, since that command may overtake the batch itself.
final class CancellationFlag: Sendable {
    let isSet = Atomic(false)
}

/// The messages of one call and what is known of them.
struct PublishBatch: Sendable {
    let messages: [OutgoingMessage]
    let cancellation: CancellationFlag
    let continuation: CheckedContinuation<[PublishResult], any Error>
    private var results: [PublishResult?]
    private var unknown: Int

    init(
        messages: [OutgoingMessage],
        cancellation: CancellationFlag,
        continuation: CheckedContinuation<[PublishResult], any Error>
    ) {
        self.messages = messages
        self.cancellation = cancellation
        self.continuation = continuation
        results = Array(repeating: nil, count: messages.count)
        unknown = messages.count
    }

    /// - Returns: whether every message has its verdict now.
    mutating func settle(_ index: Int, _ result: PublishResult) -> Bool {
        if results[index] == nil { unknown -= 1 }
        results[index] = result
        return unknown == 0
    }

    func finish() {
        continuation.resume(returning: results.compactMap(\.self))
    }
}
