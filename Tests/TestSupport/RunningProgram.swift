package import Foundation
import Synchronization

/// A program started by a test. What it prints goes to files, so that nothing it does can block it; its end can be
/// awaited.
///
/// It is started by posix_spawn and awaited by waitpid: Foundation's `Process` lets a child inherit the blocked signals
/// of the task's thread, and takes a program for running as long as anything it left behind does.
package final class RunningProgram: Sendable {
    package let pid: Int32
    package let outputFile: URL
    package let errorFile: URL
    private let ending = Ending()

    private final class Ending: Sendable {
        private struct State {
            var status: Int32?
            var waiters: [CheckedContinuation<Int32, Never>] = []
        }

        private let state = Mutex(State())

        var status: Int32? { state.withLock { $0.status } }

        func finish(_ status: Int32) {
            let waiters = state.withLock { state in
                state.status = status
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume(returning: status) }
        }

        func wait() async -> Int32 {
            await withCheckedContinuation { continuation in
                let status = state.withLock { state in
                    if state.status == nil { state.waiters.append(continuation) }
                    return state.status
                }
                if let status { continuation.resume(returning: status) }
            }
        }
    }

    /// - Parameters:
    ///   - environment: complete; nothing is inherited but `PATH` and `HOME`.
    ///   - logs: the folder for what it prints.
    package init(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        in folder: URL? = nil,
        logs: URL,
        name: String
    ) throws {
        outputFile = logs.appending(path: "\(name).out")
        errorFile = logs.appending(path: "\(name).err")
        let inherited = ProcessInfo.processInfo.environment.filter {
            ["PATH", "HOME", "LD_LIBRARY_PATH"].contains($0.key)
        }
        let variables = inherited.merging(environment) { _, new in new }.map { "\($0.key)=\($0.value)" }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let created = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputFile.path, created, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorFile.path, created, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // The shell changes the folder and becomes the program, under the same pid.
        let entering = folder.map { ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, $0.path] } ?? []
        let words = entering + [program] + arguments
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, words[0], &actions, &attributes, &argv, &envp)
        guard failure == 0 else {
            throw TimedOut(what: "\(program) cannot be started: \(String(cString: strerror(failure)))")
        }
        self.pid = pid
        Self.reap(pid, ending)
    }

    private static func reap(_ pid: Int32, _ ending: Ending) {
        let thread = Thread {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            let signal = status & 0x7f
            ending.finish(signal == 0 ? (status >> 8) & 0xff : 128 + signal)
        }
        thread.start()
    }

    deinit {
        if isRunning { kill(pid, SIGKILL) }
    }

    package var isRunning: Bool { ending.status == nil }
    package func send(_ signal: Int32) { kill(pid, signal) }

    /// The exit code, or 128 and the signal's number; waits for the end, and for ten minutes at most: then it is killed, as
    /// a test that waits for ever would tell nobody what it waits for.
    @discardableResult
    package func exitCode() async -> Int32 {
        let watchdog = Task { [pid, ending] in
            try await Task.sleep(for: .seconds(600))
            if ending.status == nil { kill(pid, SIGKILL) }
        }
        defer { watchdog.cancel() }
        return await ending.wait()
    }

    /// Ends it politely and returns its exit code.
    @discardableResult
    package func stop() async -> Int32 {
        if isRunning { send(SIGTERM) }
        return await exitCode()
    }

    package var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }
    package var errors: String { (try? String(contentsOf: errorFile, encoding: .utf8)) ?? "" }

    /// Runs a program to its end.
    package static func run(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        input: String? = nil,
        in folder: URL? = nil
    ) async throws -> (exitCode: Int32, output: String, errors: String) {
        let logs = try TemporaryFolder()
        if let input {
            // Through the shell, so that standard input is a plain file however long it is.
            let file = logs.url.appending(path: "input")
            try Data(input.utf8).write(to: file)
            let words = ([program] + arguments).map { "'" + $0.replacing("'", with: "'\\''") + "'" }
            let running = try RunningProgram(
                "/bin/sh",
                ["-c", "exec \(words.joined(separator: " ")) < '\(file.path)'"],
                environment: environment,
                in: folder,
                logs: logs.url,
                name: "program"
            )
            return (await running.exitCode(), running.output, running.errors)
        }
        let running = try RunningProgram(
            program,
            arguments,
            environment: environment,
            in: folder,
            logs: logs.url,
            name: "program"
        )
        return (await running.exitCode(), running.output, running.errors)
    }
}

/// A folder that is removed with its owner.
package final class TemporaryFolder: Sendable {
    package let url: URL

    package init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "chaffinch-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    package func write(_ text: String, to path: String) throws {
        let file = url.appending(path: path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }
}

/// Waits for something that another process does and that nothing announces: asks again until it holds.
///
/// - Throws: ``TimedOut`` when it does not hold in time.
package func eventually(
    _ what: String,
    within limit: Duration = .seconds(60),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what) }
        try await ContinuousClock().sleep(for: .milliseconds(100))
    }
}

package struct TimedOut: Error, CustomStringConvertible {
    package var what: String

    package init(what: String) {
        self.what = what
    }

    package var description: String { "did not happen in time: \(what)" }
}
