/// What a rule set tells of one of its rules.
package struct ParserSummary: Sendable, Equatable {
    package var id: String
    package var record: String
    package var priority: Int
    package var status: RuleStatus
    package var engine: RuleEngine
    /// The file's name as diagnostics show it.
    package var file: String
    /// The content hash stored with every record.
    package var version: String
    /// What keeps the rule from being tried on every message.
    package var gate: Gate

    /// Where a rule's gate comes from.
    package enum Gate: Sendable, Equatable {
        /// `gate:` of the file.
        case given([String])
        /// From the patterns of its required fields, of which none matches without one of these.
        case derived([String])
        /// Neither: every message of its channels is tried.
        case none
    }
}

/// What a rule has done since its rule set was built.
package struct ParserCounts: Sendable, Equatable {
    /// Messages that its channels and gate admitted and that no earlier rule took.
    package var tried = 0
    /// Messages it made records of; for a shadow rule, would have made.
    package var parsed = 0
    /// Messages whose required fields it took before a later step failed.
    package var failed = 0
    /// Messages it gave up on because a pattern ran into a limit.
    package var limitHits = 0
}
