internal import Foundation
internal import Glibc
internal import Model
internal import Processes

/// Writes log lines on a thread of its own, so that whoever logs never waits for the reader of the log.
final class LogSink: @unchecked Sendable {
    // Everything that changes is guarded by `condition`.
    private let condition = NSCondition()
    private var buffer = LogBuffer()
    private var closed = false
    private var idle = true
    private var unwritten = 0
    private let descriptor: Int32
    private var formatter: LogFormatter
    private var level: LogSettings.Level
    private let pid = getpid()

    /// - Throws: ``SystemCallFailure`` when the system has no thread left.
    init(_ settings: LogSettings) throws {
        formatter = LogFormatter(settings)
        level = settings.level
        descriptor = settings.descriptor
        try ProcessThread.start("log-sink", stackBytes: 256 << 10) { self.run() }
    }

    /// From now on lines are kept and shown as these settings say. They go to where they went.
    func follow(_ settings: LogSettings) {
        condition.withLock {
            formatter = LogFormatter(settings)
            level = settings.level
        }
    }

    /// A line of the supervisor's own.
    func write(_ line: TreeLogLine) {
        let (formatter, level) = condition.withLock { (self.formatter, self.level) }
        guard line.level >= level else { return }
        let now = Clock.wall
        append([LogBuffer.Line(bytes: formatter.format(line, pid: pid, at: now), time: now)], to: "supervisor")
    }

    /// Lines of a child, as many as were read at once: whoever floods must not keep the others from the lock.
    func write(_ lines: [[UInt8]], from source: LogSource) {
        let now = Clock.wall
        append(lines.map { LogBuffer.Line(bytes: $0, source: source, time: now) }, to: source.worker)
    }

    /// Lines lost to a stalled sink since the start, or to one that takes none, such as a full disk.
    var dropped: Int {
        condition.withLock { buffer.droppedInAll + unwritten }
    }

    /// Writes what is left, for so long at most, and ends the thread once it is not held up by its reader.
    func close(within limit: Duration) {
        let end = Clock.monotonic + limit
        condition.withLock {
            closed = true
            condition.broadcast()
        }
        // A condition waits by the wall clock, which may jump.
        while !condition.withLock({ idle && buffer.isEmpty }), Clock.monotonic < end { usleep(1000) }
    }

    private func append(_ lines: [LogBuffer.Line], to source: String) {
        condition.withLock {
            buffer.append(lines, to: source)
            condition.broadcast()
        }
    }

    private func run() {
        while true {
            condition.lock()
            idle = true
            condition.broadcast()
            while buffer.isEmpty && !closed { condition.wait() }
            guard !buffer.isEmpty else { return condition.unlock() }
            let (lines, dropped) = buffer.take(64 << 10)
            let formatter = self.formatter
            idle = false
            condition.unlock()
            for loss in dropped { _ = writeOut(notice(loss, formatter)) }
            let bytes = lines.flatMap { line in
                line.source.map { formatter.format(line.bytes, from: $0, at: line.time) } ?? line.bytes
            }
            if !writeOut(bytes) { condition.withLock { unwritten += lines.count } }
        }
    }

    private func notice(_ loss: LogBuffer.Dropped, _ formatter: LogFormatter) -> [UInt8] {
        let line = TreeLogLine(
            level: .warning,
            message: "log lines were dropped: the log is read too slowly",
            fields: ["from": .text(loss.source), "lines": .integer(Int64(loss.lines))]
        )
        return formatter.format(line, pid: pid, at: Clock.wall)
    }

    /// False when nobody takes them. That is no reason to end.
    private func writeOut(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBufferPointer { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
