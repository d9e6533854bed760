import Foundation
import Model
import Storage
import TestSupport

/// What a case is held to: everything the source has is in the tables or in the dead letters, once, and nothing waits.
struct Oracle {
    struct Verdict {
        var messages = 0
        var lost = 0
        /// Rows that no message of the source accounts for: of a record, of one of its stops, or of a message.
        var surplus = 0
        var dead = 0
        var queued = 0
        var balances = false
        /// From the end of the fault until the last message was there.
        var recovery: Duration = .zero
        var note = ""

        func holds(expectingDead: Int) -> Bool {
            lost == 0 && surplus == 0 && dead == expectingDead && queued == 0 && balances
        }
    }

    /// Records and stops that the recording makes without any fault.
    var signals = 0
    var stops = 0
    /// The case may leave records out, since it has made messages with records go dead or change.
    static let patience: Duration = .seconds(150)

    /// Waits until the pipeline has drained, or cannot any more, and counts.
    func judge(_ rig: Rig) async throws -> Verdict {
        var expected: Set<String> = []
        for channel in rig.channels { expected.formUnion(try await rig.discord.ingestibleIDs(channel: channel)) }
        let start = ContinuousClock.now
        var verdict = Verdict()
        verdict.messages = expected.count
        do {
            try await eventually("everything is in the tables", within: Self.patience) {
                guard try await rig.accounted() >= expected.count else { return false }
                return true
            }
        } catch is TimedOut {
            verdict.note = "did not drain"
        }
        verdict.recovery = ContinuousClock.now - start
        let stored = Set(try await rig.rows("select id from messages").compactMap { $0[0] })
        let dead = Set(
            try await rig.rows("select distinct unnest(message_ids)::text from dead_letters").compactMap { $0[0] }
        )
        verdict.lost = expected.subtracting(stored).subtracting(dead).count
        verdict.dead = try await rig.count("select count(*) from dead_letters")
        verdict.surplus = stored.subtracting(expected).count
        verdict.surplus += abs(try await rig.count("select count(*) from trading_signal") - signals - rig.postedSignals)
        verdict.surplus += abs(
            try await rig.count("select count(*) from trading_signal_trading_stops") - stops - 2 * rig.postedSignals
        )
        // The last acknowledgement reaches the queue a little after the commit.
        for _ in 0..<20 {
            verdict.queued = try await rig.servers.queued(prefix: rig.name)
            if verdict.queued == 0 || !verdict.note.isEmpty { break }
            try await rig.sleep(seconds: 0.5)
        }
        verdict.balances = try await rig.withStore { try await $0.books() }.balances
        return verdict
    }
}

extension Rig {
    /// Messages in the tables or the dead letters.
    func accounted() async throws -> Int {
        try await count(
            """
            select count(*) from (
                select id from messages union select distinct unnest(message_ids) from dead_letters
            ) known
            """
        )
    }
}
