import Synchronization

/// How far long work has come, on standard error: one line drawn anew on a terminal, otherwise a line every ten seconds.
final class WorkProgress: Sendable {
    private struct State {
        var shown: ContinuousClock.Instant
        var isOpen = false
    }

    private let state = Mutex(State(shown: .now))

    func show(_ text: @autoclosure () -> String) {
        let interval: Duration = Terminal.errorIsTerminal ? .milliseconds(200) : .seconds(10)
        state.withLock { state in
            guard ContinuousClock.now - state.shown >= interval else { return }
            state.shown = .now
            draw(text(), &state)
        }
    }

    /// Leaves the terminal's line, so that what is printed next begins a new one.
    func finish() {
        state.withLock { state in
            if state.isOpen { Terminal.raw("\n") }
            state.isOpen = false
        }
    }

    /// Something to remember between two states of progress.
    func note(_ text: String) {
        finish()
        Terminal.error(text)
    }

    private func draw(_ text: String, _ state: inout State) {
        guard Terminal.errorIsTerminal else { return Terminal.error(text) }
        Terminal.raw("\r\u{1B}[K\(text)")
        state.isOpen = true
    }
}
