import Processes
import Synchronization

/// Shortens every wait of a thread that sits in `poll`, from the moment somebody else asks for it.
final class Haste: Sendable {
    private let deadline = Mutex<ContinuousClock.Instant?>(nil)
    private let wakeRead: Descriptor
    private let wakeWrite: Descriptor

    init() throws {
        (wakeRead, wakeWrite) = try Descriptor.pipe()
    }

    /// The first call counts.
    func begin(within duration: Duration) {
        let isFirst = deadline.withLock { deadline in
            guard deadline == nil else { return false }
            deadline = .now + duration
            return true
        }
        if isFirst { _ = wakeWrite.write([1]) }
    }

    var isOver: Bool { deadline.withLock { $0.map { $0 <= .now } ?? false } }

    /// `other`, or the end of the time allowed if that is earlier.
    func limit(_ other: ContinuousClock.Instant) -> ContinuousClock.Instant {
        deadline.withLock { $0.map { min($0, other) } ?? other }
    }

    /// How long to wait at most. Once the time allowed is over it shortens no wait any more: whoever waits then, for an
    /// end say, has a limit of its own, and would ask again and again.
    func timeLeft(until other: ContinuousClock.Instant) -> Duration {
        let now = ContinuousClock.now
        let end = deadline.withLock { $0.map { $0 <= now ? other : min($0, other) } ?? other }
        return max(.zero, end - now)
    }

    /// Becomes readable when haste begins; `nil` afterwards, when there is nothing more to wait for.
    var wakeUp: Int32? { deadline.withLock { $0 == nil } ? wakeRead.number : nil }
}
