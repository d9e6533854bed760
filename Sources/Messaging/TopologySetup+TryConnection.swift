extension TopologySetup {
    /// Connects, logs in and leaves again: whether the broker is there and takes the user.
    ///
    /// - Throws: ``BrokerError``.
    package static func tryConnection(to address: BrokerAddress) async throws {
        try await onOwnThread(named: "check") {
            try AMQPConnection(address, name: "check").close()
        }
    }
}
