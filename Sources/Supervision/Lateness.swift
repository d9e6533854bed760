internal import Model

/// Notices that the supervisor's own loop was held up: stopped, starved, or frozen with all its children.
struct Lateness {
    /// Less than this happens on any busy machine and means nothing.
    static let tolerated = Duration.seconds(1)

    private var lastEnd: Duration?

    /// Takes note of one turn.
    ///
    /// - Parameters:
    ///   - limit: how long the wait was to last at most, in milliseconds; negative when it had no bound.
    /// - Returns: whether the wait took longer than it should have, or the work since the wait before it did.
    mutating func turn(waitedFrom start: Duration, atMost limit: Int32, until end: Duration) -> Bool {
        defer { lastEnd = end }
        if let lastEnd, start - lastEnd > Self.tolerated { return true }
        return limit >= 0 && end - start > .milliseconds(limit) + Self.tolerated
    }
}
