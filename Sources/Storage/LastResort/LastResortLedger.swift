package import Model

/// What the last resort has cost, and what it was answered: kept in the database, so that neither a restart nor a kill
/// forgets either.
package protocol LastResortLedger: Sendable {
    /// Sets tokens aside before a request is sent. What is set aside counts as spent until ``settle(_:as:keeping:)``
    /// says what it came to, for ever if nobody does: a worker killed over a request has spent what it set aside.
    ///
    /// Made again after `unavailable`, it may set aside twice: too much rather than too little.
    func reserve(_ tokens: TokenReservation, within budget: TokenBudget) async throws -> BudgetAnswer

    /// Says what a request came to. Must not be made again: what failed stays set aside.
    ///
    /// - Parameter answer: kept in the same transaction, for messages of the same text.
    func settle(_ tokens: TokenReservation, as cost: TokenCost, keeping answer: KeptAnswer?) async throws

    /// The answer to a question that was asked before.
    func keptAnswer(to key: String) async throws -> KeptAnswer?

    /// Whether a message was deleted while it waited, so that its text must not leave any more.
    func isDeleted(_ message: Snowflake) async throws -> Bool

    /// What was spent, newest day first, then by channel and parser.
    ///
    /// - Parameter day: the first that counts, as `2026-03-01`; `nil` for all.
    func spend(since day: String?) async throws -> [SpendRow]
}

/// Tokens set aside for one request.
package struct TokenReservation: Sendable, Equatable {
    /// In UTC, as `2026-03-01`.
    package var day: String
    /// `nil` for a request that concerns no message, such as a probe.
    package var channel: Snowflake?
    package var parser: String
    package var tokens: Int

    package init(day: String, channel: Snowflake?, parser: String, tokens: Int) {
        self.day = day
        self.channel = channel
        self.parser = parser
        self.tokens = tokens
    }
}

/// The most that may be spent in a UTC day.
package struct TokenBudget: Sendable, Equatable {
    package var day: Int
    /// In each channel; `nil` for no limit of its own.
    package var channel: Int?

    package init(day: Int, channel: Int? = nil) {
        self.day = day
        self.channel = channel
    }
}

package enum BudgetAnswer: Sendable, Equatable {
    case granted
    case daySpent
    case channelSpent
}

/// What a request came to.
package enum TokenCost: Sendable, Equatable {
    case known(prompt: Int, completion: Int)
    /// An answer whose cost the server did not tell.
    case untold
    /// No answer; whether it cost anything is not known.
    case failed
    /// No answer, and the request was never worked on.
    case nothing
}

/// A model's answer as it came, to be judged anew for every message.
package struct KeptAnswer: Sendable, Equatable {
    package var key: String
    /// The message it was first asked about.
    package var messageID: Snowflake
    package var parser: String
    package var model: String
    package var refusal: String?
    package var content: String
    package var answeredAt: Timestamp

    package init(
        key: String,
        messageID: Snowflake,
        parser: String,
        model: String,
        refusal: String?,
        content: String,
        answeredAt: Timestamp
    ) {
        self.key = key
        self.messageID = messageID
        self.parser = parser
        self.model = model
        self.refusal = refusal
        self.content = content
        self.answeredAt = answeredAt
    }
}

/// One day's spending in one channel by one parser.
package struct SpendRow: Sendable, Equatable {
    package var day: String
    package var channel: Snowflake?
    package var parser: String
    package var calls: Int
    package var failed: Int
    package var promptTokens: Int
    package var completionTokens: Int
    /// Of requests under way, and of those whose cost nobody told.
    package var reservedTokens: Int

    package init(
        day: String,
        channel: Snowflake?,
        parser: String,
        calls: Int,
        failed: Int,
        promptTokens: Int,
        completionTokens: Int,
        reservedTokens: Int
    ) {
        self.day = day
        self.channel = channel
        self.parser = parser
        self.calls = calls
        self.failed = failed
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.reservedTokens = reservedTokens
    }

    /// What counts against the budgets.
    package var tokens: Int { promptTokens + completionTokens + reservedTokens }
}
