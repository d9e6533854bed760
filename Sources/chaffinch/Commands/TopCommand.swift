import ArgumentParser
import Foundation
import Model
import Supervision
import Workers

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows what the supervisor's workers do, again every second.",
        discussion: """
            Examples:
              chaffinch top
              chaffinch top --data /srv/chaffinch/data

            q quits. When no supervisor answers it says so, and goes on when one does. Needs a terminal; elsewhere use
            chaffinch status.
            """
    )

    @OptionGroup var supervisor: SupervisorOptions

    private static let interval = Duration.seconds(1)

    func run() throws {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1,
            getenv("TERM").map({ String(cString: $0) }) != "dumb"
        else { throw CommandFailure(ExitCode.usage, "top needs a terminal; use 'chaffinch status' here") }
        // Before anything that may start a thread.
        let screen = try TerminalScreen()
        let folder = supervisor.folder
        screen.enter()
        defer { screen.leave() }
        var last: (status: JSONDocument, time: ContinuousClock.Instant)?
        while true {
            let answer = Result { try supervisor.request("status", folder: folder, timeout: Self.interval) }
            let now = ContinuousClock.now
            let before = last
            last = (try? answer.get()).map { ($0, now) }
            let draw = { screen.draw(lines(answer, before: before, now, screen.size)) }
            draw()
            let due = now + Self.interval
            waiting: while true {
                switch screen.wait(until: due) {
                case .key(let key) where key == UInt8(ascii: "q") || key == UInt8(ascii: "Q"): return
                case .key: continue waiting
                case .redraw: draw()
                case .time: break waiting
                case .hungUp: throw CommandFailure(128 + SIGHUP)
                case .ended(let signal): throw CommandFailure(128 + signal)
                }
            }
        }
    }

    private func lines(
        _ answer: Result<JSONDocument, any Error>,
        before: (status: JSONDocument, time: ContinuousClock.Instant)?,
        _ now: ContinuousClock.Instant,
        _ size: (columns: Int, rows: Int)
    ) -> [StyledLine] {
        let foot = StyledLine("q quits", .dim)
        let height = max(1, size.rows - 1)
        switch answer {
        case .success(let document):
            let earlier = before.map { ($0.status.root, (now - $0.time) / Duration.seconds(1)) }
            let view = StatusView(document.root, before: earlier)
            return view.lines(width: size.columns, height: height) + [foot]
        case .failure(let error):
            let reason = StyledLine("\(error)", .red)
            let hint = StyledLine("waiting for a supervisor", .dim)
            return [reason, hint].prefix(height).map { $0.cut(to: size.columns) } + [foot]
        }
    }
}
