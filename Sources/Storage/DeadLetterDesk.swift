package import Model

/// What an operator does with dead letters. Errors are as of ``Store``.
package protocol DeadLetterDesk {
    /// The letters a filter takes, the latest first, without their payloads.
    func deadLetters(_ filter: DeadLetterFilter, limit: Int) async throws -> [DeadLetterSummary]

    /// Letters of the same cause counted together, the most frequent first.
    func deadLetterGroups(_ filter: DeadLetterFilter) async throws -> [DeadLetterGroup]

    /// One letter with all it holds; `nil` when there is none of this id.
    func deadLetter(_ id: String) async throws -> DeadLetterEntry?

    /// The ids of the letters a filter takes, the earliest first: the frozen set of a replay.
    func deadLetterIDs(_ filter: DeadLetterFilter) async throws -> [String]

    /// Takes letters for a replay: those that are dead, and those that an earlier replay took and did not finish,
    /// which keep that replay's name. What is in another state is left out of the answer.
    func claimDeadLetters(_ ids: [String], for replay: String) async throws -> [DeadLetterEntry]

    /// Marks claimed letters as replayed, once their publish was confirmed.
    func finishReplay(of ids: [String]) async throws

    /// Gives claimed letters back, to be dead as before: no queue took them.
    func giveUpReplay(of ids: [String]) async throws

    /// Sets dead letters aside for good.
    ///
    /// - Returns: how many were dead and are discarded now.
    func discardDeadLetters(_ ids: [String], reason: String) async throws -> Int
}

/// Where a dead letter stands, as the column `state` spells it.
package enum DeadLetterState: String, Sendable, CaseIterable {
    case dead
    /// Taken by a replay that has not finished; the next one takes it up.
    case replaying
    /// Published again and confirmed. If it dies once more, that is another letter.
    case replayed
    case discarded
}

/// Which dead letters are meant; what is `nil` or empty does not restrict.
package struct DeadLetterFilter: Sendable, Equatable {
    package var ids: [String] = []
    package var states: [DeadLetterState] = []
    package var stage: String?
    package var fingerprint: String?
    /// Letters with this Discord message inside.
    package var message: Snowflake?
    /// By the time of the last attempt: from `since`, up to but without `until`.
    package var since: Timestamp?
    package var until: Timestamp?

    package init(
        ids: [String] = [],
        states: [DeadLetterState] = [],
        stage: String? = nil,
        fingerprint: String? = nil,
        message: Snowflake? = nil,
        since: Timestamp? = nil,
        until: Timestamp? = nil
    ) {
        self.ids = ids
        self.states = states
        self.stage = stage
        self.fingerprint = fingerprint
        self.message = message
        self.since = since
        self.until = until
    }
}

/// A dead letter as a list shows it.
package struct DeadLetterSummary: Sendable, Equatable {
    package var id: String
    package var state: String
    package var stage: String
    package var messageIDs: [Snowflake]
    package var errorClass: String
    package var errorText: String
    package var attempts: Int
    package var lastAt: Timestamp
    package var fingerprint: String
}

/// Dead letters of one fingerprint.
package struct DeadLetterGroup: Sendable, Equatable {
    package var fingerprint: String
    package var stage: String
    package var count: Int
    package var firstAt: Timestamp
    package var lastAt: Timestamp
    /// One of them, to look at.
    package var exampleID: String
    package var errorClass: String
    package var errorText: String
}

/// A dead letter and what was done about it.
package struct DeadLetterEntry: Sendable, Equatable {
    package var letter: DeadLetter
    /// The replay that took it.
    package var replayedBy: String?
    /// When it was last claimed, replayed or discarded.
    package var settledAt: Timestamp?
    /// Why it was discarded.
    package var reason: String?
}

extension DatabaseStore {
    func deadLetters(_ filter: DeadLetterFilter, limit: Int) throws -> [DeadLetterSummary] {
        try engine.transaction(.snapshot) { try $0.deadLetters(filter, limit: limit) }
    }

    func deadLetterGroups(_ filter: DeadLetterFilter) throws -> [DeadLetterGroup] {
        try engine.transaction(.snapshot) { try $0.deadLetterGroups(filter) }
    }

    func deadLetter(_ id: String) throws -> DeadLetterEntry? {
        try engine.transaction(.snapshot) { try $0.deadLetter(id) }
    }

    func deadLetterIDs(_ filter: DeadLetterFilter) throws -> [String] {
        try engine.transaction(.snapshot) { try $0.deadLetterIDs(filter) }
    }

    func claimDeadLetters(_ ids: [String], for replay: String) throws -> [DeadLetterEntry] {
        try engine.transaction(.write) { try $0.claimDeadLetters(ids, for: replay) }
    }

    func finishReplay(of ids: [String]) throws {
        _ = try engine.transaction(.write) { try $0.settle(ids, from: .replaying, to: .replayed) }
    }

    func giveUpReplay(of ids: [String]) throws {
        _ = try engine.transaction(.write) { try $0.settle(ids, from: .replaying, to: .dead) }
    }

    func discardDeadLetters(_ ids: [String], reason: String) throws -> Int {
        try engine.transaction(.write) { try $0.settle(ids, from: .dead, to: .discarded, reason: reason) }
    }
}
