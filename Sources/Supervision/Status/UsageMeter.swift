internal import Foundation
internal import Glibc
internal import Processes

/// Measures what processes use, on a thread of its own. The kernel lets whoever asks for a process's memory wait until
/// that process lets go of its memory map, and one that is starved or hangs in the kernel may hold it for long.
final class UsageMeter: @unchecked Sendable {
    struct Usage: Sendable {
        var memoryBytes: Int64?
        var cpuSeconds: Double?
    }

    /// An answer without figures is better than one that comes late.
    static let patience = Duration.milliseconds(100)

    // Everything that changes is guarded by `condition`.
    private let condition = NSCondition()
    private var wanted: [Int32] = []
    private var asked = 0
    private var finished = 0
    private var known: [Int32: Usage] = [:]
    private let doneRead: Descriptor
    private let doneWrite: Descriptor

    /// - Throws: ``SystemCallFailure``.
    init() throws {
        (doneRead, doneWrite) = try Descriptor.pipe()
        doneRead.setNonBlocking()
        doneWrite.setNonBlocking()
        try ProcessThread.start("usage", stackBytes: 256 << 10) { self.run() }
    }

    /// What these use now, or, where the measuring takes longer than ``patience``, what is known of them.
    func usage(of pids: [Int32]) -> [Int32: Usage] {
        let deadline = Clock.monotonic + Self.patience
        let isBusy = condition.withLock {
            guard asked == finished else { return true }
            wanted = pids
            asked += 1
            condition.signal()
            return false
        }
        while !isBusy, !condition.withLock({ asked == finished }) {
            let left = deadline - Clock.monotonic
            guard left > .zero else { break }
            var polled = pollfd(fd: doneRead.number, events: Int16(POLLIN), revents: 0)
            poll(&polled, 1, Int32(clamping: left.millisecondsRoundedUp))
            _ = doneRead.read(upTo: 64)
        }
        return condition.withLock { known }
    }

    private func run() {
        while true {
            let pids = condition.withLock {
                while asked == finished { condition.wait() }
                return wanted
            }
            for pid in pids {
                let usage = Usage(
                    memoryBytes: ProcessUsage.memoryBytes(pid: pid),
                    cpuSeconds: ProcessUsage.cpuSeconds(pid: pid)
                )
                condition.withLock { known[pid] = usage }
            }
            let living = Set(pids)
            condition.withLock {
                known = known.filter { living.contains($0.key) }
                finished = asked
            }
            _ = doneWrite.write([1])
        }
    }
}
