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

    /// Whether it costs every message of its channels a look.
    package var triesEverything: Bool { gate == .none && engine != .openai && status != .off }

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
