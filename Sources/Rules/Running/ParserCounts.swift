/// What a rule has done since its rule set was built.
package struct ParserCounts: Sendable, Equatable {
    /// Messages that its channels and gate admitted and that no earlier rule took.
    package var tried = 0
    /// Messages it made records of; for a shadow rule, would have made.
    package var parsed = 0
    /// Messages that were not for it, by what it missed in them: a required field or `template`.
    package var missing: [String: Int] = [:]
    /// Messages whose required fields it took, by the later step that failed.
    package var failures: [String: Int] = [:]
    /// Messages it gave up on, by the step whose pattern ran into a limit.
    package var limits: [String: Int] = [:]
    /// Some messages are timed: how many, and the nanoseconds of processor time the rule took for them.
    package var timed = 0
    package var nanoseconds = 0
    /// For a rule in shadow.
    package var shadow: ShadowCounts?

    package init() {}

    package var failed: Int { failures.values.reduce(0, +) }
    package var limitHits: Int { limits.values.reduce(0, +) }

    /// Adds what another replica counted for the same rule.
    package mutating func add(_ other: ParserCounts) {
        tried += other.tried
        parsed += other.parsed
        missing.merge(other.missing, uniquingKeysWith: +)
        failures.merge(other.failures, uniquingKeysWith: +)
        limits.merge(other.limits, uniquingKeysWith: +)
        timed += other.timed
        nanoseconds += other.nanoseconds
        guard let more = other.shadow else { return }
        shadow = shadow.map { $0.adding(more) } ?? more
    }
}

/// How what a rule in shadow makes of messages compares with what the live rules make of them.
package struct ShadowCounts: Sendable, Equatable {
    /// Both made the same records.
    package var same = 0
    /// Both made records, and not the same.
    package var different = 0
    /// The live rules made none.
    package var onlyShadow = 0
    /// Live rules made records of the shadow's record type, and the shadow none.
    package var onlyLive = 0
    /// The newest that were not the same, the last one last.
    package var differences: [ShadowDifference] = []

    /// How many differences are kept.
    package static let kept = 10

    package init() {}

    package mutating func note(_ difference: ShadowDifference) {
        differences.append(difference)
        if differences.count > Self.kept { differences.removeFirst() }
    }

    func adding(_ other: ShadowCounts) -> ShadowCounts {
        var sum = self
        sum.same += other.same
        sum.different += other.different
        sum.onlyShadow += other.onlyShadow
        sum.onlyLive += other.onlyLive
        for difference in other.differences { sum.note(difference) }
        return sum
    }
}

/// A message of which a rule in shadow and the live rules do not make the same.
package struct ShadowDifference: Sendable, Equatable {
    package var messageID: String
    package var channelID: String
    /// The live rule that took it.
    package var liveParser: String?
    /// The records, a line for every value; empty without records.
    package var live: [String]
    package var shadow: [String]

    package init(messageID: String, channelID: String, liveParser: String?, live: [String], shadow: [String]) {
        self.messageID = messageID
        self.channelID = channelID
        self.liveParser = liveParser
        self.live = live
        self.shadow = shadow
    }
}
