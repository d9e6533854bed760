import Foundation
import Model
import Storage
import TestSupport

/// What a case is held to: everything the source has is in the tables or in the dead letters, once, and nothing waits.
struct Oracle {
    struct Verdict {
        var messages = 0
        /// Messages that are neither stored nor dead, and rows that a stored message should have made and did not.
        var lost = 0
        /// Rows that no message of the source accounts for, and dead letters of no message.
        var surplus = 0
        var dead = 0
        var queued = 0
        var balances = false
        /// From the end of the fault until the last message was there.
        var recovery: Duration = .zero
        var note = ""

        func holds(expectingDead: Int) -> Bool {
            note.isEmpty && lost == 0 && surplus == 0 && dead == expectingDead && queued == 0 && balances
        }
    }

    /// The rows of each message, each with the name of its table.
    typealias Rows = [UInt64: Set<String>]

    /// Messages whose rows are compared at once.
    private static let chunk = 50_000

    /// What the recording makes without any fault.
    private var recorded: Rows = [:]
    /// What a message of each kind makes.
    private var made: [Feeder.Kind: Set<String>] = [:]

    /// Takes a pipeline that nothing befell for the measure of all others.
    mutating func learn(from rig: Rig) async throws {
        let ids = try await rig.sourceIDs()
        try await rig.untilStored(ids.count)
        recorded = try await rig.rows(after: 0, through: .max)
        for (id, kind) in rig.posted { made[kind] = recorded.removeValue(forKey: id) }
        guard made[.signal]?.count == 4, made[.talk]?.count == 1, recorded.values.contains(where: { $0.count > 1 })
        else { throw TimedOut(what: "records to measure by") }
    }

    /// Waits until the pipeline has drained, or cannot any more, and counts.
    func judge(_ rig: Rig, within patience: Duration) async throws -> Verdict {
        let expected = try await rig.sourceIDs()
        let start = ContinuousClock.now
        var verdict = Verdict()
        verdict.messages = expected.count
        do {
            try await eventually("everything is in the tables", within: patience) {
                try await rig.accounted() >= expected.count
            }
        } catch is TimedOut {
            verdict.note = "did not drain"
        }
        verdict.recovery = ContinuousClock.now - start
        let letters = try await rig.deadLetters()
        let dead = Set(letters.joined())
        verdict.dead = max(letters.count, dead.count)
        verdict.surplus = dead.subtracting(expected).count
        try await compare(rig, expected, dead, &verdict)
        // The last acknowledgement reaches the queue a little after the commit, and a second copy of what is stored may wait for
        // a worker that was killed so often that the supervisor lets it rest.
        repeat {
            verdict.queued = try await rig.queued()
            if verdict.queued == 0 || !verdict.note.isEmpty { break }
            try await rig.sleep(seconds: 0.5)
        } while .now - start < patience
        verdict.balances = try await rig.withStore { try await $0.books() }.balances
        return verdict
    }

    /// - Parameter expected: ascending.
    private func compare(_ rig: Rig, _ expected: [UInt64], _ dead: Set<UInt64>, _ verdict: inout Verdict) async throws {
        var floor: UInt64 = 0
        for start in stride(from: 0, to: max(1, expected.count), by: Self.chunk) {
            let chunk = expected[start...].prefix(Self.chunk)
            let isLast = start + Self.chunk >= expected.count
            let ceiling = isLast ? UInt64(Int64.max) : chunk.last ?? floor
            var actual = try await rig.rows(after: floor, through: ceiling)
            floor = ceiling
            for id in chunk {
                guard let rows = actual.removeValue(forKey: id) else {
                    if !dead.contains(id) { verdict.lost += 1 }
                    continue
                }
                guard let due = recorded[id] ?? rig.posted[id].flatMap({ made[$0] }) else { continue }
                verdict.lost += due.subtracting(rows).count
                verdict.surplus += rows.subtracting(due).count
            }
            verdict.surplus += actual.values.reduce(0) { $0 + $1.count }
        }
    }
}
