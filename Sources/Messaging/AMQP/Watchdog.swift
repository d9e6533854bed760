import Foundation
import Synchronization

/// Shuts a socket down when a library call that uses it takes too long.
///
/// The library can hang in a write past every heartbeat, for instance when the broker stops reading; only the end of
/// the socket brings such a call back, with an error.
final class CallGuard: Sendable {
    private struct State {
        var socket: Int32?
        var deadline: ContinuousClock.Instant?
        var overdue = false
    }

    private let state = Mutex(State())

    /// Whether a call had to be broken off.
    var wasOverdue: Bool { state.withLock { $0.overdue } }

    func watch(socket: Int32) {
        state.withLock { $0.socket = socket }
        Watchdog.shared.add(self)
    }

    /// To be called before the socket is closed: its number may then be another's.
    func release() {
        state.withLock { $0.socket = nil }
    }

    /// Runs one or more library calls that together may take `limit`.
    func within<Value>(_ limit: Duration, _ body: () throws -> Value) rethrows -> Value {
        let deadline = ContinuousClock.now + limit
        state.withLock { $0.deadline = deadline }
        defer { state.withLock { $0.deadline = nil } }
        return try body()
    }

    fileprivate func check(_ now: ContinuousClock.Instant) {
        state.withLock { state in
            guard let socket = state.socket, let deadline = state.deadline, now > deadline else { return }
            state.overdue = true
            state.deadline = nil
            shutdown(socket, Int32(SHUT_RDWR))
        }
    }
}

/// The one thread of the process that checks every guard once a second, while there is any.
private final class Watchdog: @unchecked Sendable {
    static let shared = Watchdog()

    private struct WeakGuard {
        weak var guarded: CallGuard?
    }

    // `guards` and `running` are guarded by `condition`.
    private let condition = NSCondition()
    private var guards: [WeakGuard] = []
    private var running = false

    func add(_ guarded: CallGuard) {
        condition.lock()
        defer { condition.unlock() }
        guards.append(WeakGuard(guarded: guarded))
        condition.signal()
        guard !running else { return }
        running = true
        let thread = Thread { [self] in run() }
        thread.name = "amqp-watchdog"
        thread.stackSize = 256 << 10
        thread.start()
    }

    private func run() {
        while true {
            for guarded in waitForGuards() { guarded.check(.now) }
            Thread.sleep(forTimeInterval: 1)
        }
    }

    private func waitForGuards() -> [CallGuard] {
        condition.lock()
        defer { condition.unlock() }
        while true {
            guards.removeAll { $0.guarded == nil }
            if !guards.isEmpty { return guards.compactMap(\.guarded) }
            condition.wait()
        }
    }
}
