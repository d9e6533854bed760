import Model
import Storage

/// Budgets are counted by UTC day.
enum UTCDay {
    /// As `2026-03-01`.
    static var now: String { String(Timestamp.now.iso8601.prefix(10)) }

    /// How long the day still lasts.
    static var rest: Duration {
        let day: Int64 = 86_400_000_000
        return .microseconds(day - Timestamp.now.microseconds % day)
    }
}

/// Which budgets were found spent, for the status. A plain value; the ledger in the database is what counts.
struct SpentBudgets: Sendable {
    private var day: String?
    private var channels: [Snowflake: String] = [:]

    /// What the ledger said to a reservation.
    mutating func note(_ answer: BudgetAnswer?, to tokens: TokenReservation) {
        switch answer {
        case .daySpent: day = tokens.day
        case .channelSpent:
            if let channel = tokens.channel { channels[channel] = tokens.day }
        case .granted:
            day = nil
            if let channel = tokens.channel { channels[channel] = nil }
        case nil: break
        }
    }

    func report(on today: String) -> [String: Int64] {
        [
            "budget_spent": day == today ? 1 : 0,
            "channel_budgets_spent": Int64(channels.values.count { $0 == today }),
        ]
    }
}
