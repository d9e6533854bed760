internal import Foundation
internal import Glibc
internal import Model
internal import Processes

/// Reads what all children print, on one thread, and hands it to the sink line by line. It always reads, so no child
/// is ever held up by its log.
final class LogReader: @unchecked Sendable {
    /// Longer lines are cut.
    static let maximumLineBytes = 16 * 1024
    /// How long the pipes of an ended process are read; a descendant may hold them open for ever.
    static let afterExit = Duration.milliseconds(500)
    private static let linesKept = 10
    private static let bytesKept = 4096

    private struct Stream {
        var descriptor: Descriptor
        var source: LogSource
        var splitter = LineSplitter(maximum: LogReader.maximumLineBytes, overflow: .split)
    }

    // `arrivals`, `ends`, `tails`, `closing` and `closed` are guarded by `condition`; `streams` belongs to the thread.
    private let condition = NSCondition()
    private var arrivals: [Stream] = []
    private var ends: [Int32: Duration] = [:]
    private var tails: [ReplicaID: [[UInt8]]] = [:]
    private var closing: Duration?
    private var closed = false
    private var streams: [Stream] = []
    private let sink: LogSink
    private let wakeUp: Descriptor
    private let wakeRead: Descriptor

    init(sink: LogSink) throws {
        self.sink = sink
        (wakeRead, wakeUp) = try Descriptor.pipe()
        wakeRead.setNonBlocking()
        wakeUp.setNonBlocking()
        try ProcessThread.start("log-reader", stackBytes: 512 << 10) { self.run() }
    }

    /// Reads a new process's output until it ends, or until `processEnded` and a little longer.
    func attach(_ id: ReplicaID, pid: Int32, output: Descriptor, error: Descriptor) {
        condition.withLock {
            ends[pid] = nil
            for (descriptor, stream) in [(output, "stdout"), (error, "stderr")] {
                descriptor.setNonBlocking()
                let source = LogSource(worker: id.child, replica: id.index, pid: pid, stream: stream)
                arrivals.append(Stream(descriptor: descriptor, source: source))
            }
        }
        wake()
    }

    func processEnded(pid: Int32) {
        condition.withLock { ends[pid] = Clock.monotonic + Self.afterExit }
        wake()
    }

    /// The last lines of a replica, oldest first.
    func tail(_ id: ReplicaID) -> [String] {
        condition.withLock { tails[id] ?? [] }.map(LogFormatter.excerpt)
    }

    /// Reads what is left for so long at most, and ends the thread: it must not be in the middle of a line when the
    /// process exits.
    func close(within limit: Duration) {
        let deadline = Clock.monotonic + limit
        condition.withLock { closing = deadline }
        wake()
        // A condition waits by the wall clock, which may jump.
        let end = deadline + .seconds(1)
        while !condition.withLock({ closed }), Clock.monotonic < end { usleep(1000) }
    }

    private func wake() { _ = wakeUp.write([1]) }

    private func run() {
        while true {
            let deadline = takeArrivals()
            if let closing = deadline.closing, streams.isEmpty || closing <= Clock.monotonic { return finishAll() }
            var polled = [pollfd(fd: wakeRead.number, events: Int16(POLLIN), revents: 0)]
            polled += streams.map { pollfd(fd: $0.descriptor.number, events: Int16(POLLIN), revents: 0) }
            let wait = deadline.next.map { max(0, ($0 - Clock.monotonic).millisecondsRoundedUp) } ?? -1
            poll(&polled, nfds_t(polled.count), Int32(clamping: wait))
            if polled[0].revents != 0 { _ = wakeRead.read(upTo: 4096) }
            readStreams(polled.dropFirst().map { $0.revents != 0 })
        }
    }

    private func takeArrivals() -> (closing: Duration?, next: Duration?) {
        condition.withLock {
            streams += arrivals
            arrivals = []
            return (closing, (ends.values + [closing].compactMap { $0 }).min())
        }
    }

    private func readStreams(_ ready: [Bool]) {
        let now = Clock.monotonic
        let ends = condition.withLock { self.ends }
        var kept: [Stream] = []
        for (index, isReady) in ready.enumerated() {
            var stream = streams[index]
            let isOpen = !isReady || read(&stream)
            let overdue = ends[stream.source.pid].map { $0 <= now } ?? false
            if isOpen && !overdue { kept.append(stream) } else { finish(&stream) }
        }
        streams = kept
        let living = Set(kept.map(\.source.pid))
        condition.withLock {
            // A process may have ended before its pipes arrived here.
            let waiting = Set(arrivals.map(\.source.pid))
            self.ends = self.ends.filter { living.contains($0.key) || waiting.contains($0.key) }
        }
    }

    /// One reading, so that a child that floods does not keep the others waiting. False at the end.
    private func read(_ stream: inout Stream) -> Bool {
        switch stream.descriptor.read(upTo: 64 << 10) {
        case .bytes(let bytes):
            var lines: [[UInt8]] = []
            stream.splitter.append(bytes) { lines.append($0) }
            emit(lines, stream.source)
            return true
        case .nothingNow: return true
        case .ended: return false
        }
    }

    private func finish(_ stream: inout Stream) {
        let source = stream.source
        stream.splitter.finish { emit([$0], source) }
    }

    private func finishAll() {
        for index in streams.indices { finish(&streams[index]) }
        streams = []
        condition.withLock { closed = true }
    }

    private func emit(_ lines: [[UInt8]], _ source: LogSource) {
        let lines = lines.filter { !$0.isEmpty }
        guard !lines.isEmpty else { return }
        let id = ReplicaID(source.worker, source.replica ?? 1)
        let last = lines.suffix(Self.linesKept).map { Array($0.prefix(Self.bytesKept)) }
        condition.withLock {
            tails[id] = ((tails.removeValue(forKey: id) ?? []) + last).suffix(Self.linesKept)
        }
        sink.write(lines, from: source)
    }
}
