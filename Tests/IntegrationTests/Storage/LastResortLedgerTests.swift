import Model
import Testing

@testable import Storage

@Suite("The last resort's ledger")
struct LastResortLedgerTests {
    private func tokens(_ count: Int, day: String = "2026-03-01", channel: UInt64? = 11) -> TokenReservation {
        TokenReservation(day: day, channel: channel.map { Snowflake($0) }, parser: "last", tokens: count)
    }

    @Test("what is set aside counts as spent until it is settled", arguments: DatabaseKind.available)
    func reserves(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let budget = TokenBudget(day: 1_000, channel: 700)
            #expect(try await store.reserve(tokens(600), within: budget) == .granted)
            #expect(try await store.reserve(tokens(200), within: budget) == .channelSpent)
            #expect(try await store.reserve(tokens(200, channel: 12), within: budget) == .granted)
            #expect(try await store.reserve(tokens(201, channel: 13), within: budget) == .daySpent)
            #expect(try await store.reserve(tokens(900, day: "2026-03-02", channel: nil), within: budget) == .granted)
            try await store.settle(tokens(600), as: .known(prompt: 50, completion: 30), keeping: nil)
            #expect(try await store.reserve(tokens(600), within: budget) == .granted)
            try await store.settle(tokens(600), as: .failed, keeping: nil)
            #expect(try await store.reserve(tokens(100), within: budget) == .channelSpent)
            let rows = try await store.spend(since: "2026-03-01")
            #expect(rows.map(\.day) == ["2026-03-02", "2026-03-01", "2026-03-01"])
            #expect(rows.map(\.channel) == [nil, Snowflake(11), Snowflake(12)])
            #expect(
                rows[1]
                    == SpendRow(
                        day: "2026-03-01",
                        channel: Snowflake(11),
                        parser: "last",
                        calls: 2,
                        failed: 1,
                        promptTokens: 50,
                        completionTokens: 30,
                        reservedTokens: 600
                    )
            )
            #expect(try await store.spend(since: "2026-03-02").count == 1)
        }
    }

    @Test("a call that cost nothing gives its tokens back; an untold cost stays", arguments: DatabaseKind.available)
    func settles(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let budget = TokenBudget(day: 1_000)
            for cost in [TokenCost.nothing, .untold] {
                _ = try await store.reserve(tokens(400), within: budget)
                try await store.settle(tokens(400), as: cost, keeping: nil)
            }
            let row = try #require(try await store.spend(since: nil).first)
            #expect([row.calls, row.failed, row.tokens] == [2, 1, 400])
        }
    }

    @Test("many at once never pass the budget together", arguments: DatabaseKind.available)
    func isShared(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { _, database in
            let granted = try await withThrowingTaskGroup(of: Int.self) { group in
                for worker in 0..<4 {
                    let store = try database.open(name: "w\(worker)")
                    group.addTask {
                        var granted = 0
                        for _ in 0..<20
                        where try await store.reserve(tokens(10), within: TokenBudget(day: 300)) == .granted {
                            granted += 1
                        }
                        await store.close()
                        return granted
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(granted == 30)
        }
    }

    @Test("answers are kept by their question, the latest one", arguments: DatabaseKind.available)
    func answers(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            var answer = KeptAnswer(
                key: "abc",
                messageID: Snowflake(7),
                parser: "last",
                model: "m",
                refusal: nil,
                content: #"{"records":[]}"#,
                answeredAt: Timestamp(iso8601: "2026-03-01T12:00:00Z")!
            )
            #expect(try await store.keptAnswer(to: "abc") == nil)
            try await store.settle(tokens(1), as: .untold, keeping: answer)
            #expect(try await store.keptAnswer(to: "abc")?.content == answer.content)
            answer.refusal = "no"
            try await store.settle(tokens(1), as: .untold, keeping: answer)
            let kept = try await store.keptAnswer(to: "abc")
            #expect(kept?.refusal == "no")
            #expect(kept?.messageID == Snowflake(7))
            let deletion = DeletePage.Deletion(id: Snowflake(7), channelID: Snowflake(11), seenAt: answer.answeredAt)
            #expect(try await !store.isDeleted(Snowflake(7)))
            try await store.delete([deletion], erasing: [])
            #expect(try await store.isDeleted(Snowflake(7)))
            #expect(try await !store.isDeleted(Snowflake(8)))
            #expect(try await store.keptAnswer(to: "abc") != nil)
            try await store.delete([deletion], erasing: [Snowflake(11)])
            #expect(try await store.keptAnswer(to: "abc") == nil)
            // The answer to a request that was under way.
            try await store.settle(tokens(1), as: .known(prompt: 3, completion: 2), keeping: answer)
            #expect(try await store.keptAnswer(to: "abc") == nil)
        }
    }

    @Test("nothing of an erased message is left, however the two meet", arguments: DatabaseKind.available)
    func erasedMeanwhile(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            let other = try database.open(name: "other")
            for id in (1...40).map({ UInt64($0) }) {
                let answer = KeptAnswer(
                    key: "k\(id)",
                    messageID: Snowflake(id),
                    parser: "last",
                    model: "m",
                    refusal: nil,
                    content: "{}",
                    answeredAt: Timestamp(iso8601: "2026-03-01T12:00:00Z")!
                )
                let deletion = DeletePage.Deletion(
                    id: Snowflake(id),
                    channelID: Snowflake(11),
                    seenAt: answer.answeredAt
                )
                async let erased: Void = other.delete([deletion], erasing: [Snowflake(11)])
                try await store.settle(tokens(1), as: .untold, keeping: answer)
                try await erased
            }
            #expect(try await store.rows("SELECT key FROM openai_answers").rows == [])
            await other.close()
        }
    }
}
