import Foundation
import Processes
import Workers

/// Runs the throw-away process that alone reads the user's files, before there is a tree. What ends the supervisor ends
/// this too.
struct StartCheck {
    /// As long as a check may take while the tree runs.
    private static let limit = Duration.seconds(60)

    let executable: String
    let config: String
    let environment: [String: String]

    /// ``Signals/prepare()`` must have been called.
    ///
    /// - Returns: `nil` when a signal asked for the end.
    /// - Throws: ``CommandFailure``, with the check's own exit code where it has spoken on standard error already.
    func run() throws -> CheckReport? {
        guard let signals = Signals.take([Signals.terminate, Signals.interrupt, Signals.quit]) else {
            throw CommandFailure(ExitCode.internal, "cannot read signals")
        }
        let output = try Descriptor.pipe()
        let process = try start(output.write)
        var report: [UInt8] = []
        let deadline = ContinuousClock.now + Self.limit
        var hasEnded = false
        while true {
            let left = max(.zero, min(deadline - .now, process.handle == nil ? .milliseconds(20) : Self.limit))
            var polled = [
                pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasEnded ? -1 : output.read.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: process.handle?.number ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            poll(&polled, nfds_t(polled.count), Int32(left / .milliseconds(1)) + 1)
            if polled[0].revents != 0 {
                end(process)
                return nil
            }
            if polled[1].revents != 0 {
                switch output.read.read(upTo: 64 << 10) {
                case .bytes(let bytes): report += bytes
                case .nothingNow: break
                case .ended: hasEnded = true
                }
            }
            if let status = status(of: process) { return try read(report + rest(of: output.read), status) }
            guard ContinuousClock.now < deadline else {
                end(process)
                throw CommandFailure(
                    ExitCode.internal,
                    "the check of \(config) and its rule files took longer than a minute"
                )
            }
        }
    }

    private func start(_ output: Descriptor) throws -> SpawnedProcess {
        // A copy, which it closes: standard error is not its own.
        let error = Descriptor(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3))
        do {
            return try Spawner.spawn(
                SpawnRequest(
                    command: [executable, "worker", "check", "--config", config],
                    environment: environment,
                    output: output,
                    error: error,
                    parentDeathSignal: Signals.kill
                )
            )
        } catch {
            throw CommandFailure(ExitCode.unavailable, "the files cannot be checked: \(error.reason)")
        }
    }

    /// What it wrote before it ended.
    private func rest(of output: Descriptor) -> [UInt8] {
        output.setNonBlocking()
        var rest: [UInt8] = []
        while case .bytes(let bytes) = output.read(upTo: 64 << 10) { rest += bytes }
        return rest
    }

    /// As PID 1 others may end too.
    private func status(of process: SpawnedProcess) -> Int32? {
        while case .ended(let pid, let status) = Reaper.reap() {
            if pid == process.pid { return status }
        }
        return nil
    }

    private func end(_ process: SpawnedProcess) {
        kill(-process.pid, SIGKILL)
        while status(of: process) == nil { usleep(1000) }
    }

    private func read(_ report: [UInt8], _ status: Int32) throws -> CheckReport {
        let signal = status & 0x7f
        guard signal == 0 else {
            throw CommandFailure(ExitCode.internal, "the check of the files was ended by \(Signals.name(signal))")
        }
        let code = (status >> 8) & 0xff
        guard code == 0 else { throw CommandFailure(code) }
        return try CheckReport(report, of: executable)
    }
}
