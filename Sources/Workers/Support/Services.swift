import Model
import Synchronization

/// A server that workers depend on.
package enum Service: String, Sendable, CaseIterable {
    case database, broker, discord, openai
}

/// The breakers of the services this process depends on. What they say is shown by the supervisor's status.
///
/// They only ever hold back: an open breaker means that nothing new is taken on, and never that an attempt is counted
/// against a message.
final class Services: Sendable {
    /// Open soon and for a short time: trying costs little, and what waits should flow within seconds of the return.
    private static let settings = Breaker.Settings(
        failures: 3,
        window: .seconds(60),
        open: .seconds(1),
        maximumOpen: .seconds(8),
        stable: .zero
    )
    private static let waitWhileClosed: Duration = .milliseconds(200)

    private let breakers = Mutex<[Service: Breaker]>([:])
    private let start = ContinuousClock.now
    private let control: ControlChannel

    init(control: ControlChannel) {
        self.control = control
    }

    func isOpen(_ service: Service) -> Bool {
        breakers.withLock { if let breaker = $0[service] { breaker.state != .closed } else { false } }
    }

    /// Counts a failed call.
    ///
    /// - Returns: how long to wait before the next; calling then is the half-open breaker's one attempt.
    func failed(_ service: Service) -> Duration {
        let now = ContinuousClock.now - start
        let (wait, changed) = breakers.withLock { breakers -> (Duration, Bool) in
            var breaker = breakers[service] ?? Breaker(Self.settings)
            let before = breaker.state
            // Whoever calls after the wait is the attempt that decides.
            _ = breaker.admit(at: now)
            _ = breaker.failed(at: now)
            breakers[service] = breaker
            guard case .open(let until) = breaker.state else { return (Self.waitWhileClosed, false) }
            return (max(until - now, Self.waitWhileClosed), before == .closed)
        }
        if changed { control.say(.service(name: service.rawValue, state: "open")) }
        return wait
    }

    /// Notes that the service answered.
    func succeeded(_ service: Service) {
        let changed = breakers.withLock { breakers in
            let wasOpen = breakers[service].map { $0.state != .closed } ?? false
            breakers[service] = nil
            return wasOpen
        }
        if changed { control.say(.service(name: service.rawValue, state: "closed")) }
    }

    /// Watches a connection that mends itself, until the task is cancelled.
    func watch(_ service: Service, isConnected: @Sendable () -> Bool) async {
        while !Task.isCancelled {
            if isConnected() { succeeded(service) } else { _ = failed(service) }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
