import Model
import Storage
import Testing

@testable import Workers

@Suite struct SpentBudgetsTests {
    private func tokens(_ day: String, _ channel: UInt64 = 1) -> TokenReservation {
        TokenReservation(day: day, channel: Snowflake(channel), parser: "last", tokens: 10)
    }

    @Test("what was spent is told for its own day only, and until something is granted")
    func days() {
        var spent = SpentBudgets()
        #expect(spent.report(on: "2026-03-01") == ["budget_spent": 0, "channel_budgets_spent": 0])
        spent.note(.daySpent, to: tokens("2026-03-01"))
        spent.note(.channelSpent, to: tokens("2026-03-01", 1))
        spent.note(.channelSpent, to: tokens("2026-03-01", 2))
        #expect(spent.report(on: "2026-03-01") == ["budget_spent": 1, "channel_budgets_spent": 2])
        #expect(spent.report(on: "2026-03-02") == ["budget_spent": 0, "channel_budgets_spent": 0])
        spent.note(nil, to: tokens("2026-03-01"))
        spent.note(.granted, to: tokens("2026-03-01", 2))
        #expect(spent.report(on: "2026-03-01") == ["budget_spent": 0, "channel_budgets_spent": 1])
    }

    @Test("a day that is over, or not yet there, parks nothing")
    func parking() {
        #expect(Asker.Parking.day("2020-01-01").rest == nil)
        #expect(Asker.Parking.day("2999-01-01").rest == nil)
        #expect(Asker.Parking.server(until: .now - .seconds(1)).rest == nil)
        #expect(Asker.Parking.channel.rest == nil)
        let today = UTCDay.now
        let rest = Asker.Parking.day(today).rest
        // Unless midnight passed meanwhile.
        #expect(rest != nil || today != UTCDay.now)
        #expect(rest.map { $0 > .zero && $0 <= .seconds(86_400) } ?? true)
    }
}
