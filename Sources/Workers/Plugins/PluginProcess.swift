import Glibc
import Model
import Processes

/// A plugin's process: a line in, a line out.
///
/// It runs on a thread of its own, which forks: the kernel kills the plugin when that thread ends, so also when the
/// host is killed. Its group is killed with it. What it prints on standard error goes where the host's own goes, into
/// the log; on standard output it has nothing to say but answers, and what it says unasked is found before the next
/// question.
actor PluginProcess {
    static let longestAnswer = 1 << 20

    private let thread = DedicatedThread(name: "plugin")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let command: PluginCommand
    private let haste: Haste
    private var running: Running?
    private var lastEnd: PluginEnd?

    private struct Running {
        var process: SpawnedProcess
        /// `nil` once it was told by the end of its input that nothing more will come.
        var input: Descriptor?
        var output: Descriptor
    }

    init(_ command: PluginCommand) throws {
        self.command = command
        haste = try Haste()
    }

    /// From now on nothing waits for the plugin longer than `duration`.
    nonisolated func hurry(within duration: Duration) { haste.begin(within: duration) }

    /// Starts the plugin anew and returns once it has lived for `settling`: nothing is asked of one that ends at once.
    ///
    /// - Throws: ``PluginEnd`` when it cannot run or has ended.
    func start(settling: Duration) throws(PluginEnd) {
        stop(within: .zero)
        do {
            running = try spawn()
        } catch let failure as SpawnFailure {
            throw PluginEnd(failure)
        } catch {
            throw PluginEnd(code: 126, "cannot run: \(error)")
        }
        if let end = waitForEnd(until: haste.limit(.now + settling)) { throw end }
        guard let running, case .nothingNow = running.output.read(upTo: 1) else {
            stop(within: .zero)
            throw PluginEnd(code: 70, PluginFault.spokeUnasked.description)
        }
    }

    /// How it ended by itself; `nil` while it lives.
    var end: PluginEnd? {
        reap()
        return running == nil ? lastEnd : nil
    }

    /// Puts a line to the plugin and returns the line it answers with, without its newline.
    ///
    /// - Parameter question: ends in a newline.
    /// - Throws: ``PluginFault``; the plugin must be started anew before the next question.
    func ask(_ question: [UInt8], within limit: Duration) throws(PluginFault) -> [UInt8] {
        reap()
        guard let running, let input = running.input else {
            throw .wasGone(lastEnd ?? PluginEnd(code: 70, "was never started"))
        }
        guard case .nothingNow = running.output.read(upTo: 1) else { throw .spokeUnasked }
        let deadline = ContinuousClock.now + limit
        var unsent = question[...]
        var answer: [UInt8] = []
        while true {
            let canSend = Self.send(&unsent, to: input)
            switch try Self.receive(&answer, from: running.output) {
            case .line(let line):
                // It cannot have read the end of the line, and what is unsent would be the start of the next one.
                guard unsent.isEmpty else { throw .answeredEarly }
                return line
            case .closed: throw endOr(.closedOutput)
            case .nothing: break
            }
            guard canSend else { throw endOr(.closedInput) }
            reap()
            if self.running == nil, let lastEnd {
                // It may have answered and ended in one go.
                if case .line(let line) = try Self.receive(&answer, from: running.output) { return line }
                throw .ended(lastEnd)
            }
            if haste.isOver { throw .interrupted }
            guard ContinuousClock.now < deadline else { throw .silent(limit) }
            let awaited = [
                pollfd(fd: running.output.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: unsent.isEmpty ? -1 : input.number, events: Int16(POLLOUT), revents: 0),
            ]
            wait(for: awaited, until: deadline)
        }
    }

    /// Ends the plugin: closes its standard input, sends SIGTERM when half the time is over, and SIGKILL to its whole
    /// group at the end.
    func stop(within limit: Duration) {
        guard let process = running?.process else { return }
        running?.input = nil
        if limit > .zero {
            let start = ContinuousClock.now
            if waitForEnd(until: start + limit / 2) == nil { kill(-process.pid, SIGTERM) }
            waitForEnd(until: start + limit)
        }
        guard running != nil else { return }
        kill(-process.pid, SIGKILL)
        waitForEnd(until: .now + .seconds(2))
    }

    // MARK: The pipes

    /// False when nobody reads there any more.
    private static func send(_ unsent: inout ArraySlice<UInt8>, to input: Descriptor) -> Bool {
        while !unsent.isEmpty {
            switch input.write(unsent) {
            case .wrote(let count): unsent.removeFirst(count)
            case .nothingNow: return true
            case .failed: return false
            }
        }
        return true
    }

    private enum Received {
        case line([UInt8])
        case nothing
        case closed
    }

    private static func receive(_ answer: inout [UInt8], from output: Descriptor) throws(PluginFault) -> Received {
        while true {
            switch output.read(upTo: 64 << 10) {
            case .nothingNow: return .nothing
            case .ended: return .closed
            case .bytes(let bytes):
                answer += bytes
                if let newline = answer.firstIndex(of: UInt8(ascii: "\n")) {
                    guard newline == answer.count - 1 else { throw .severalLines }
                    return .line(Array(answer[..<newline]))
                }
                guard answer.count <= longestAnswer else { throw .endless }
            }
        }
    }

    /// A pipe may be seen to close a moment before its process has ended.
    private func endOr(_ fault: PluginFault) -> PluginFault {
        waitForEnd(until: .now + .milliseconds(500)).map { .ended($0) } ?? fault
    }

    // MARK: The process

    private func spawn() throws -> Running {
        let input = try Descriptor.pipe()
        let output = try Descriptor.pipe()
        let log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)
        let process = try Spawner.spawn(
            SpawnRequest(
                command: command.words,
                environment: command.environment,
                workingDirectory: command.workingDirectory,
                input: input.read,
                output: output.write,
                error: log >= 0 ? Descriptor(log) : nil,
                parentDeathSignal: SIGKILL,
                nofile: command.nofile,
                memory: command.memory,
                oomScoreAdj: command.oomScoreAdj
            )
        )
        input.write.setNonBlocking()
        output.read.setNonBlocking()
        return Running(process: process, input: input.write, output: output.read)
    }

    /// Reaps the plugin if it has ended. Its group goes first: as long as the leader is not reaped, no other group can
    /// have its number.
    private func reap() {
        guard let pid = running?.process.pid else { return }
        var info = siginfo_t()
        let looked = waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT)
        guard looked == 0, info.si_signo == SIGCHLD else { return }
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        running = nil
        lastEnd = PluginEnd(waitStatus: status)
    }

    @discardableResult
    private func waitForEnd(until deadline: ContinuousClock.Instant) -> PluginEnd? {
        while true {
            if let end { return end }
            guard running != nil, ContinuousClock.now < deadline else { return nil }
            wait(for: [], until: deadline)
        }
    }

    /// Until one of the descriptors is ready, the plugin has ended, haste begins or is over, or `deadline`.
    private func wait(for awaited: [pollfd], until deadline: ContinuousClock.Instant) {
        let handle = running?.process.handle
        var polled = awaited
        polled.append(pollfd(fd: handle?.number ?? -1, events: Int16(POLLIN), revents: 0))
        polled.append(pollfd(fd: haste.wakeUp ?? -1, events: Int16(POLLIN), revents: 0))
        let left = haste.timeLeft(until: deadline)
        // Where the kernel has no handle for a process, its end is seen only by looking.
        let longest: Duration = handle == nil ? .milliseconds(50) : .seconds(60)
        let milliseconds = min(left, longest) / .milliseconds(1)
        poll(&polled, nfds_t(polled.count), Int32(milliseconds.rounded(.up)))
    }
}
