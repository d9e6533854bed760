internal import Model

/// Decides when the user's files are checked, and whether a check still counts when it is done.
///
/// Edits come in bursts: a check begins once it has been quiet for a moment, and one that was overtaken by a further
/// edit before it was accepted is thrown away. So a burst ends in one reload of its last content.
struct ReloadTiming: Sendable {
    /// No edit for so long, and the burst is over.
    var quiet = Duration.milliseconds(100)
    /// Edits without end do not hold a reload up for longer.
    var patience = Duration.seconds(10)
    /// A check that takes longer is given up.
    var limit = Duration.seconds(60)

    private struct Check: Sendable {
        var deadline: Duration
        var isAccepted = false
        var isOvertaken = false
        var isGivenUp = false
    }

    enum Action: Sendable, Equatable {
        case startCheck
        /// What was checked may become the next generation.
        case accept
        /// End the check and forget it; for a reason, where the operator is to know it.
        case giveUp(String?)
    }

    private var check: Check?
    private var dueAt: Duration?
    /// When the first edit came that no accepted check has seen.
    private var unseenSince: Duration?
    /// Checks that counted, whatever they found.
    private(set) var count = 0

    var nextDeadline: Duration? {
        // One that was given up has yet to end; then what is due is done.
        if let check { return check.isGivenUp ? nil : check.deadline }
        return dueAt
    }

    /// The number that the reload will have which sees the files as they are now.
    var nextNumber: Int { count + 1 }

    mutating func filesChanged(at now: Duration) {
        let first = unseenSince ?? now
        unseenSince = first
        dueAt = max(now, min(now + quiet, first + patience))
        overtake()
    }

    /// Somebody asks for it now.
    mutating func asked(at now: Duration) {
        unseenSince = unseenSince ?? now
        dueAt = now
        overtake()
    }

    private mutating func overtake() {
        if check?.isAccepted == false { check?.isOvertaken = true }
    }

    mutating func tick(at now: Duration) -> Action? {
        if let running = check {
            guard !running.isGivenUp, running.deadline <= now else { return nil }
            check?.isGivenUp = true
            countIfNew()
            return .giveUp("the check took longer than \(limit.brief)")
        }
        guard let due = dueAt, due <= now else { return nil }
        dueAt = nil
        check = Check(deadline: now + limit)
        return .startCheck
    }

    /// The check knows what it thinks of the files, and asks whether that still counts.
    mutating func checked(at now: Duration) -> Action? {
        guard let running = check, !running.isAccepted, !running.isGivenUp else { return nil }
        if running.isOvertaken, now - (unseenSince ?? now) < patience {
            check?.isGivenUp = true
            return .giveUp(nil)
        }
        check?.isAccepted = true
        unseenSince = running.isOvertaken ? now : nil
        count += 1
        return .accept
    }

    /// The process of the check is gone.
    ///
    /// - Returns: whether it ended before its time, and nobody was told why.
    mutating func checkEnded() -> Bool {
        guard let ended = check else { return false }
        check = nil
        guard !ended.isGivenUp else { return false }
        if !ended.isAccepted { countIfNew() }
        return true
    }

    private mutating func countIfNew() {
        if check?.isAccepted != true { count += 1 }
        unseenSince = dueAt == nil ? nil : unseenSince
    }
}
