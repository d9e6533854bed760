import Remote
import Synchronization

/// A clock that stands still until someone sleeps, and then jumps.
final class ManualTime: Sendable {
    private struct State {
        var now: Duration = .zero
        var sleeps: [Duration] = []
    }

    private let state = Mutex(State())

    /// What was waited for, in order.
    var sleeps: [Duration] { state.withLock { $0.sleeps } }

    /// Jitter comes out at nothing, so that waits are round.
    var timing: Timing {
        Timing(
            now: { self.state.withLock { $0.now } },
            sleep: { duration in
                try Task.checkCancellation()
                self.state.withLock { state in
                    state.now += duration
                    state.sleeps.append(duration)
                }
            },
            random: { 0.5 }
        )
    }
}
