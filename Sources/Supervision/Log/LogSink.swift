internal import Foundation
internal import Glibc
internal import Model

/// Writes log lines on a thread of its own, so that whoever logs never waits for the reader of the log.
final class LogSink: @unchecked Sendable {
    // `buffer`, `closed`, `idle` and `unwritten` are guarded by `condition`; the rest never changes.
    private let condition = NSCondition()
    private var buffer = LogBuffer()
    private var closed = false
    private var idle = true
    private var unwritten = 0
    private let descriptor: Int32
    private let formatter: LogFormatter
    private let level: LogSettings.Level
    private let pid = getpid()

    init(_ settings: LogSettings) {
        let terminal = isatty(settings.descriptor) == 1
        let text = settings.format == .text || (settings.format == .auto && terminal)
        let plain = getenv("NO_COLOR") != nil
        formatter = LogFormatter(text: text, colour: settings.colour ?? (terminal && !plain))
        level = settings.level
        descriptor = settings.descriptor
        let thread = Thread { self.run() }
        thread.name = "log-sink"
        thread.stackSize = 256 << 10
        thread.start()
    }

    /// A line of the supervisor's own.
    func write(_ line: TreeLogLine) {
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
        let end = Date(timeIntervalSinceNow: limit.seconds)
        condition.withLock {
            closed = true
            condition.broadcast()
            while !(idle && buffer.isEmpty) { guard condition.wait(until: end) else { break } }
        }
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
            idle = false
            condition.unlock()
            for loss in dropped { _ = writeOut(notice(loss)) }
            if !writeOut(lines.flatMap(formatted)) { condition.withLock { unwritten += lines.count } }
        }
    }

    private func formatted(_ line: LogBuffer.Line) -> [UInt8] {
        line.source.map { formatter.format(line.bytes, from: $0, at: line.time) } ?? line.bytes
    }

    private func notice(_ loss: LogBuffer.Dropped) -> [UInt8] {
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
