import Foundation
import Synchronization
import TestSupport

/// A program on a terminal of its own, as a person would run it.
final class PseudoTerminal: Sendable {
    let pid: Int32
    private let master: Int32
    private let written = Mutex<[UInt8]>([])

    /// - Parameter size: columns and rows.
    init(_ command: [String], environment: [String: String] = [:], in folder: URL, size: (UInt16, UInt16)) throws {
        var window = winsize(ws_row: size.1, ws_col: size.0, ws_xpixel: 0, ws_ypixel: 0)
        var ends: (master: Int32, slave: Int32) = (-1, -1)
        var name = [CChar](repeating: 0, count: 128)
        guard openpty(&ends.master, &ends.slave, &name, nil, &window) == 0 else {
            throw TimedOut(what: "no pseudo-terminal: \(String(cString: strerror(errno)))")
        }
        master = ends.master
        _ = fcntl(master, F_SETFD, FD_CLOEXEC)
        defer { close(ends.slave) }
        _ = fcntl(ends.slave, F_SETFD, FD_CLOEXEC)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The leader of a new session gets the first terminal that it opens as its own.
        posix_spawn_file_actions_addopen(&actions, 0, &name, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        // POSIX_SPAWN_SETSID (spawn.h), which Swift does not see.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | 0x80))
        // `swift test` sets NO_COLOR where its own output is no terminal.
        let variables = ProcessInfo.processInfo.environment.filter { $0.key != "NO_COLOR" }
            .merging(["TERM": "xterm"]) { _, new in new }
            .merging(environment) { _, new in new }
        var argv = (["/bin/sh", "-c", #"cd "$0" && exec "$@""#, folder.path] + command).map { strdup($0) } + [nil]
        var envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, "/bin/sh", &actions, &attributes, &argv, &envp)
        guard failure == 0 else { throw TimedOut(what: "cannot start \(command[0]): \(failure)") }
        self.pid = pid
        let reader = Thread { [weak self, master] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(master, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                // When nobody has the other end open any more, the kernel says EIO.
                guard count > 0, let self else { return }
                self.written.withLock { $0 += buffer[..<count] }
            }
        }
        reader.start()
    }

    deinit {
        kill(pid, SIGKILL)
        close(master)
    }

    /// Everything that was written to the terminal.
    var output: String { written.withLock { String(decoding: $0, as: UTF8.self) } }

    /// What was drawn last, without escape sequences.
    var screen: [String] {
        let drawn = output.components(separatedBy: "\u{1B}[H").dropFirst()
        // The very last may not be whole yet.
        guard let last = drawn.last(where: { $0.contains("\u{1B}[J") }) else { return [] }
        return last.components(separatedBy: "\u{1B}[J")[0].replacing(#/\x{1B}\[[0-9;?]*[A-Za-z]/#, with: "")
            .components(separatedBy: "\r\n")
    }

    func type(_ text: String) {
        _ = write(master, text, text.utf8.count)
    }

    func resize(columns: UInt16, rows: UInt16) {
        var window = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &window)
    }

    /// Whether the terminal echoes and gathers lines, as shells leave it.
    var isAsFound: Bool {
        var state = termios()
        tcgetattr(master, &state)
        let wanted = tcflag_t(ICANON | ECHO | ISIG)
        return state.c_lflag & wanted == wanted
    }

    /// `R`, `S`, `T` and the like, from proc(5).
    var state: Character? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return nil }
        return text[name...].dropFirst(2).first
    }

    /// Waits for its end. The exit code, or 128 and the signal's number.
    func exitCode() async throws -> Int32 {
        var status: Int32 = 0
        try await eventually("it ends") { waitpid(pid, &status, WNOHANG) == pid }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }
}
