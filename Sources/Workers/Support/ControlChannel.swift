import Foundation
import Glibc
package import Model
import Synchronization

/// A child's end of the control channel `chaffinch-child/1` (SUPERVISION.md).
///
/// Absent when the process was started by hand: then everything said goes nowhere, and only signals end it.
package final class ControlChannel: Sendable {
    private let descriptor: Int32?
    private let drain: DrainSignal
    private let beats = Mutex(Beats())
    /// Generations that are to be taken over; of several that wait, the latest.
    let reloads: AsyncStream<Int64>

    private struct Beats {
        var sequence: UInt64 = 0
        var progress: UInt64 = 0
        var backlog: UInt64?
        var last: ContinuousClock.Instant?
    }

    /// Takes over the inherited descriptor and says hello.
    ///
    /// - Parameter drain: requested when the supervisor says `drain`, or when the channel ends, which means that the
    ///   supervisor died.
    package init(role: String, drain: DrainSignal, environment: [String: String]) {
        self.drain = drain
        let (reloads, asked) = AsyncStream.makeStream(of: Int64.self, bufferingPolicy: .bufferingNewest(1))
        self.reloads = reloads
        descriptor = environment[ControlProtocol.environmentVariable].flatMap { Int32($0) }
        guard let descriptor else { return }
        // A grandchild must not hold the channel open.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let reader = Thread { Self.read(descriptor, drain: drain, asked: asked) }
        reader.name = "control"
        reader.start()
        say(.hello(protocol: ControlProtocol.name, role: role, pid: getpid()))
    }

    package func say(_ message: ChildMessage) {
        guard let descriptor else { return }
        let line = message.line + [UInt8(ascii: "\n")]
        var sent = 0
        while sent < line.count {
            // A dead supervisor must not end us by SIGPIPE before the end of file has been noticed.
            let count = line[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Says with the next heartbeats how much work is at hand and not finished. The supervisor ends a process that has
    /// some and finishes none of it for too long.
    package func hold(_ units: Int) {
        beats.withLock { $0.backlog = UInt64(units) }
    }

    /// Called by the work loop each time round; says `heartbeat` at most once a second.
    ///
    /// - Parameters:
    ///   - done: units of work acknowledged since the last call.
    ///   - service: what is away or takes nothing, so that no work can be finished.
    package func beat(done: Int = 0, waitingFor service: String? = nil) {
        let message = beats.withLock { beats -> ChildMessage? in
            beats.progress += UInt64(done)
            let now = ContinuousClock.now
            if let last = beats.last, now - last < .seconds(1) { return nil }
            beats.last = now
            beats.sequence += 1
            return .heartbeat(
                sequence: beats.sequence,
                progress: beats.progress,
                backlog: beats.backlog,
                waiting: service
            )
        }
        if let message { say(message) }
    }

    private static func read(_ descriptor: Int32, drain: DrainSignal, asked: AsyncStream<Int64>.Continuation) {
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return drain.request() }
            buffer.append(contentsOf: chunk[..<count])
            while let newline = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                switch SupervisorMessage(line: buffer[..<newline]) {
                case .drain: drain.request()
                case .reload(let generation): asked.yield(generation)
                case .ping, nil: break
                }
                buffer.removeSubrange(...newline)
            }
            if buffer.count > ControlProtocol.maximumLineBytes { buffer.removeAll() }
        }
    }
}
