import Logging
import Messaging
import Model
import Synchronization

/// Declares the queues and exchanges anew when a worker finds that some are missing: somebody deleted them, or the broker
/// came back without its data. What was in a deleted queue is gone; what comes now is not to wait for an operator.
final class TopologyRepair: Sendable {
    /// Where it fails, whoever misses something asks again soon enough.
    private static let pause: Duration = .seconds(5)
    /// Until the broker has told the consumers of a deleted queue. One that is back before is not always told apart from
    /// the old one (``IdleWatch`` of Messaging).
    private static let notice: Duration = .seconds(2)

    private struct State {
        var isRunning = false
        var next = ContinuousClock.now
    }

    private let topology: Topology
    private let address: BrokerAddress?
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter address: `nil` for a role that has no broker.
    init(_ topology: Topology, at address: BrokerAddress?, logger: Logger) {
        self.topology = topology
        self.address = address
        self.logger = logger
    }

    /// Begins a repair, unless one is under way or was just made.
    func ask(because reason: String) {
        let begins = state.withLock { state in
            guard !state.isRunning, state.next <= .now else { return false }
            state.isRunning = true
            return true
        }
        guard begins, let address else { return }
        logger.warning(
            "queues or exchanges are missing and are declared anew; what was in a deleted queue is gone",
            metadata: ["reason": "\(reason)"]
        )
        Task { [self] in
            do {
                try await Task.sleep(for: Self.notice)
                try await TopologySetup.declare(topology, at: address, logger: logger)
            } catch {
                logger.error("the queues could not be declared anew", metadata: ["error": "\(error)"])
            }
            state.withLock { $0 = State(next: .now + Self.pause) }
        }
    }
}
