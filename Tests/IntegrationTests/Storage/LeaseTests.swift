import Model
import Testing

@testable import Storage

@Suite("Channel leases")
struct LeaseTests {
    private static let channel = Snowflake(42)
    private static let start = Snowflake(1_000)

    private func acquire(
        _ store: any Store,
        as holder: String,
        since: Snowflake? = nil
    ) async throws -> ChannelLease? {
        try await store.acquireLease(
            channel: Self.channel,
            holder: holder,
            duration: .seconds(30),
            startingAt: Self.start,
            since: since
        )
    }

    @Test("the first holder begins at the start, others are refused", arguments: DatabaseKind.available)
    func isExclusive(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let lease = try #require(try await acquire(store, as: "a"))
            #expect(
                lease
                    == ChannelLease(
                        channel: Self.channel,
                        holder: "a",
                        epoch: 1,
                        contiguousID: Self.start,
                        backfillUntil: Self.start
                    )
            )
            #expect(try await acquire(store, as: "b") == nil)
            // The holder itself renews under the same epoch.
            #expect(try await acquire(store, as: "a") == lease)
        }
    }

    @Test("a channel with an earlier `since` begins there", arguments: DatabaseKind.available)
    func beginsAtSince(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let lease = try await acquire(store, as: "a", since: Snowflake(10))
            #expect(lease?.contiguousID == Snowflake(10))
            #expect(lease?.backfillUntil == Snowflake(10))
        }
    }

    @Test("an expired lease is taken over, and the former holder fenced off", arguments: DatabaseKind.available)
    func fences(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            let first = try #require(try await acquire(store, as: "a"))
            #expect(try await store.advance(first, to: Snowflake(1_500), renewingFor: .seconds(30)))
            try await database.execute("UPDATE fetch_cursors SET expires_at = '2020-01-01T00:00:00.000000Z'")
            let second = try #require(try await acquire(store, as: "b"))
            #expect(second.epoch == 2)
            #expect(second.contiguousID == Snowflake(1_500))
            #expect(try await store.advance(first, to: Snowflake(9_000), renewingFor: .seconds(30)) == false)
            #expect(try await store.finishBackfill(first, until: Snowflake(1)) == false)
            try await store.release([first])
            #expect(try await acquire(store, as: "a") == nil)
            #expect(try await store.rows("SELECT contiguous_id FROM fetch_cursors").rows == [["1500"]])
        }
    }

    @Test("time passes by the database's clock", arguments: DatabaseKind.available)
    func expires(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            _ = try await store.acquireLease(
                channel: Self.channel,
                holder: "a",
                duration: .milliseconds(-1),
                startingAt: Self.start,
                since: nil
            )
            let lease = try #require(try await acquire(store, as: "b"))
            // Renewing by nothing gives the channel away at once.
            #expect(try await store.advance(lease, to: Self.start, renewingFor: .milliseconds(-1)))
            #expect(try await acquire(store, as: "c")?.epoch == 3)
        }
    }

    /// Else the heir of a fetcher that died would wait as long as the clock was wrong.
    @Test("a lease that lasts longer than any is from a wrong clock", arguments: DatabaseKind.available)
    func outlivesNoClock(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            let first = try #require(try await acquire(store, as: "a"))
            try await database.execute("UPDATE fetch_cursors SET expires_at = '2999-01-01T00:00:00.000000Z'")
            let second = try #require(try await acquire(store, as: "b"))
            #expect(second.epoch == 2)
            #expect(try await store.advance(first, to: Snowflake(9_000), renewingFor: .seconds(30)) == false)
            #expect(try await acquire(store, as: "a") == nil)
        }
    }

    @Test("the cursor never moves backward", arguments: DatabaseKind.available)
    func neverMovesBackward(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let lease = try #require(try await acquire(store, as: "a"))
            #expect(try await store.advance(lease, to: Snowflake(2_000), renewingFor: .seconds(30)))
            #expect(try await store.advance(lease, to: Snowflake(1_999), renewingFor: .seconds(30)))
            #expect(try await store.finishBackfill(lease, until: Snowflake(500)))
            #expect(try await store.finishBackfill(lease, until: Snowflake(600)))
            let again = try await acquire(store, as: "a")
            #expect(again?.contiguousID == Snowflake(2_000))
            #expect(again?.backfillUntil == Snowflake(500))
        }
    }

    @Test("a cursor that was put back is not moved on, but begun from anew", arguments: DatabaseKind.available)
    func noticesACursorPutBack(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            var lease = try #require(try await acquire(store, as: "a"))
            #expect(try await store.advance(lease, to: Snowflake(2_000), renewingFor: .seconds(30)))
            lease.contiguousID = Snowflake(2_000)
            try await database.execute("UPDATE fetch_cursors SET contiguous_id = 1500")
            #expect(try await store.advance(lease, to: Snowflake(2_100), renewingFor: .seconds(30)) == false)
            let again = try #require(try await acquire(store, as: "a"))
            #expect(again.contiguousID == Snowflake(1_500))
            #expect(try await store.advance(again, to: Snowflake(1_600), renewingFor: .seconds(30)))
        }
    }

    @Test("a released channel is free at once", arguments: DatabaseKind.available)
    func releases(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            let lease = try #require(try await acquire(store, as: "a"))
            try await store.release([lease])
            #expect(try await store.advance(lease, to: Snowflake(2_000), renewingFor: .seconds(30)) == false)
            let next = try await acquire(store, as: "b")
            #expect(next?.epoch == 2)
            #expect(next?.contiguousID == Self.start)
        }
    }

    @Test("of many who ask at once one gets the channel", arguments: DatabaseKind.available)
    func grantsOnce(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { _, database in
            let granted = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<6 {
                    let store = try database.open()
                    group.addTask {
                        let lease = try await acquire(store, as: "holder-\(number)")
                        await store.close()
                        return lease != nil
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(granted == 1)
        }
    }
}
