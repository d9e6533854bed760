internal import Glibc

/// How much processor time the patterns of all rules together may take for one message.
///
/// The limits of ``MatchLimits`` bound one match. Rules make thousands, so a text made to be slow for one careful
/// pattern after the other would still hold the worker. Processor time is asked for only now and then: an ordinary
/// message is done before the first time.
final class MatchBudget {
    /// For the live rules, in nanoseconds. Ordinary messages take some microseconds.
    static let live: UInt64 = 100_000_000
    /// For all rules in shadow, which run behind the live ones.
    static let shadow: UInt64 = 20_000_000
    /// The clock is read whenever patterns have searched so many bytes more.
    private static let stride = 4096
    /// What a match on an empty text counts.
    private static let leastWork = 64

    private var work = 0
    private var nextLook = stride
    private var started: UInt64?
    private var allowed = live
    /// Set when the time is used up: what further patterns would find is not known.
    private(set) var isSpent = false

    func begin(_ allowed: UInt64) {
        work = 0
        nextLook = Self.stride
        started = nil
        self.allowed = allowed
        isSpent = false
    }

    /// Notes that a pattern is about to search `bytes` bytes. False when it must not.
    func permits(_ bytes: Int) -> Bool {
        work += bytes + Self.leastWork
        if work >= nextLook { look() }
        return !isSpent
    }

    private func look() {
        nextLook = work + Self.stride
        let now = ProcessorTime.now()
        if let started { isSpent = isSpent || now - started > allowed } else { started = now }
    }
}

/// The processor time of the calling thread, which other processes on a busy machine do not use up.
enum ProcessorTime {
    /// In nanoseconds.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
