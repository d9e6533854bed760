package import Foundation
import Synchronization

/// A program started by a test. What it prints goes to files, so that nothing it does can block it; its end can be
/// awaited.
package final class RunningProgram: @unchecked Sendable {
    // `Process` is used from one test at a time; what its callback touches is in `ending`.
    private let process = Process()
    private let ending = Ending()
    package let outputFile: URL
    package let errorFile: URL

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
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let inherited = ProcessInfo.processInfo.environment.filter {
            ["PATH", "HOME", "LD_LIBRARY_PATH"].contains($0.key)
        }
        process.environment = inherited.merging(environment) { _, new in new }
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try Self.file(outputFile)
        process.standardError = try Self.file(errorFile)
        process.terminationHandler = { [ending] process in
            let status = process.terminationStatus
            ending.finish(process.terminationReason == .exit ? status : 128 + status)
        }
        try Self.launch(process)
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    package var pid: Int32 { process.processIdentifier }
    package var isRunning: Bool { ending.status == nil }
    package func send(_ signal: Int32) { kill(pid, signal) }

    /// The exit code, or 128 and the signal's number; waits for the end.
    @discardableResult
    package func exitCode() async -> Int32 {
        await ending.wait()
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

    /// A child inherits what its parent's thread blocks, and threads that run tasks block SIGTERM; so it is started
    /// from a thread of its own that blocks nothing.
    private static func launch(_ process: Process) throws {
        let done = DispatchSemaphore(value: 0)
        let failure = Mutex<(any Error)?>(nil)
        let thread = Thread {
            var none = sigset_t()
            sigemptyset(&none)
            pthread_sigmask(SIG_SETMASK, &none, nil)
            do { try process.run() } catch { failure.withLock { $0 = error } }
            done.signal()
        }
        thread.start()
        done.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private static func file(_ url: URL) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: url.path, contents: nil)
        return try FileHandle(forWritingTo: url)
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
