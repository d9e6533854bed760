import Glibc
import Processes
import Workers

/// The whole terminal, borrowed: its second screen without echo or line buffering, given back as it was found however the
/// program is ended or paused.
final class TerminalScreen {
    enum Event {
        case key(UInt8)
        /// The window has another size, or the program goes on after a pause.
        case redraw
        case time
        /// The terminal is gone.
        case hungUp
        /// A signal asks for the end.
        case ended(Int32)
    }

    private static let enterText = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"
    private static let leaveText = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    private let signals: Descriptor
    private var found = termios()
    private var isEntered = false

    init() throws {
        guard let signals = Signals.take([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH]) else {
            throw CommandFailure(ExitCode.internal, "cannot read signals: \(String(cString: strerror(errno)))")
        }
        self.signals = signals
    }

    var size: (columns: Int, rows: Int) { Terminal.size() ?? (80, 24) }

    func enter() {
        var state = termios()
        guard tcgetattr(STDIN_FILENO, &state) == 0 else { return }
        // After a pause that nobody announced it may be as a shell left it, or still as it was set here.
        if !isEntered || state.c_lflag & tcflag_t(ICANON) != 0 { found = state }
        isEntered = true
        var raw = found
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
        Terminal.output(Array(Self.enterText.utf8))
    }

    func leave() {
        guard isEntered else { return }
        isEntered = false
        Terminal.output(Array(Self.leaveText.utf8))
        tcsetattr(STDIN_FILENO, TCSADRAIN, &found)
    }

    /// Draws over what was there, without a moment of emptiness.
    func draw(_ lines: [StyledLine]) {
        let text = lines.map { $0.rendered + "\u{1B}[K" }.joined(separator: "\n")
        Terminal.output(Array("\u{1B}[H\(text)\u{1B}[J".utf8))
    }

    func wait(until deadline: ContinuousClock.Instant) -> Event {
        while true {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return .time }
            var polled = [
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0),
            ]
            let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
            guard poll(&polled, 2, Int32(clamping: milliseconds)) > 0 else { continue }
            if polled[1].revents != 0, let event = signalled() { return event }
            guard polled[0].revents != 0 else { continue }
            var key: UInt8 = 0
            let count = read(STDIN_FILENO, &key, 1)
            if count == 1 { return .key(key) }
            if count == 0 || (errno != EINTR && errno != EAGAIN) { return .hungUp }
        }
    }

    private func signalled() -> Event? {
        switch Signals.next(from: signals) {
        case 0: return nil
        case SIGWINCH: return .redraw
        case SIGTSTP:
            leave()
            raise(SIGSTOP)
            enter()
            return .redraw
        case SIGCONT:
            enter()
            return .redraw
        case let signal: return .ended(signal)
        }
    }
}
