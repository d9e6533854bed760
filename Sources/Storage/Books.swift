/// What became of every message, counted over distinct ids in the tables (DESIGN.md, "The data").
package struct Books: Sendable, Equatable {
    package var parsed = 0
    package var unmatched = 0
    package var invalid = 0
    package var skipped = 0
    /// Messages known only from dead letters that were not replayed. A message that has a row in `messages` too, such
    /// as one whose later edit died, counts by its outcome alone.
    package var dead = 0
    /// Messages known at all: those in `messages` that have an outcome, and those in dead letters of any state.
    package var accepted = 0
    /// Rows of each record table, by record type.
    package var recordRows: [String: Int] = [:]

    package init(
        parsed: Int = 0,
        unmatched: Int = 0,
        invalid: Int = 0,
        skipped: Int = 0,
        dead: Int = 0,
        accepted: Int = 0,
        recordRows: [String: Int] = [:]
    ) {
        self.parsed = parsed
        self.unmatched = unmatched
        self.invalid = invalid
        self.skipped = skipped
        self.dead = dead
        self.accepted = accepted
        self.recordRows = recordRows
    }

    /// Whether every message has come to its end. A replayed dead letter that has not arrived yet tips the balance.
    package var balances: Bool { accepted == parsed + unmatched + invalid + skipped + dead }
}
