/// A queue as the broker has it now.
package struct QueueCounts: Sendable, Equatable {
    package var queue: String
    /// Waiting, without what is in somebody's hand.
    package var messages: Int
    package var consumers: Int
}

extension TopologySetup {
    /// Looks at queues, and makes none.
    ///
    /// - Returns: those that exist, in the order asked.
    /// - Throws: ``BrokerError``.
    package static func survey(_ queues: [String], at address: BrokerAddress) async throws -> [QueueCounts] {
        try await onOwnThread(named: "survey") {
            try queues.compactMap { queue in
                // A queue that does not exist ends the channel, and we have one for each connection.
                let connection = try AMQPConnection(address, name: "survey")
                defer { connection.close() }
                do {
                    let counts = try connection.counts(queue: queue)
                    return QueueCounts(queue: queue, messages: counts.messages, consumers: counts.consumers)
                } catch let error as BrokerError where error.code == .closed(404) {
                    return nil
                }
            }
        }
    }
}
