import Foundation
import Logging
import Model
import Storage
import TestSupport

/// What is in the tables, on either database.
extension Rig {
    func withStore<Result>(_ body: (any Store) async throws -> Result) async throws -> Result {
        let store = try openStore(
            tablesURL,
            schema: StoreSchema(pipeline: name, records: []),
            name: "chaos",
            logger: Logger(label: "chaos") { _ in SwiftLogNoOpLogHandler() }
        )
        do {
            let result = try await body(store)
            await store.close()
            return result
        } catch {
            await store.close()
            throw error
        }
    }

    func rows(_ sql: String) async throws -> [[String?]] { try await withStore { try await $0.rows(sql).rows } }
    func count(_ sql: String) async throws -> Int { Int(try await rows(sql).first?.first.flatMap { $0 } ?? "0") ?? 0 }
    func stored() async -> Int { (try? await count("select count(*) from messages")) ?? 0 }

    func untilStored(_ count: Int) async throws {
        try await eventually("\(count) messages are stored", within: .seconds(120)) { await stored() >= count }
    }

    /// Ids of all messages of the source that are to become rows, ascending.
    func sourceIDs() async throws -> [UInt64] {
        var ids: [UInt64] = []
        for channel in channels {
            ids += try await discord.ingestibleIDs(channel: channel).compactMap { UInt64($0) }
        }
        return ids.sorted()
    }

    /// The rows of the messages with ids in (floor, ceiling].
    func rows(after floor: UInt64, through ceiling: UInt64) async throws -> Oracle.Rows {
        // Who is asked and knows nothing changes the outcome, and nothing else.
        let outcome = setting.asksOthers ? "replace(outcome, 'skipped', 'unmatched')" : "outcome"
        let tables = [
            ("messages", "id", "\(outcome), content"),
            (
                "trading_signal", "message_id",
                "ordinal, ticker, side, status, entry_type, entry_price, entry_high, leverage, risk, parser, source"
            ),
            ("trading_signal_trading_stops", "message_id", "ordinal, position, type, price"),
        ]
        let ceiling = min(ceiling, UInt64(Int64.max))
        return try await withStore { store in
            var found: Oracle.Rows = [:]
            for (table, id, columns) in tables {
                let sql = "select \(id), \(columns) from \(table) where \(id) > \(floor) and \(id) <= \(ceiling)"
                for row in try await store.rows(sql).rows {
                    let text = row.dropFirst().map { $0 ?? "-" }.joined(separator: "|")
                    found[row[0].flatMap { UInt64($0) } ?? 0, default: []].insert("\(table): \(text)")
                }
            }
            return found
        }
    }

    /// The messages of each dead letter that nobody has replayed or discarded.
    func deadLetters() async throws -> [[UInt64]] {
        // `{1,2}` on Postgres, `[1,2]` on SQLite.
        try await rows("select message_ids from dead_letters where state in ('dead', 'replaying')").map { row in
            (row[0] ?? "").split { !$0.isNumber }.compactMap { UInt64($0) }
        }
    }

    /// Messages in the tables or the dead letters.
    func accounted() async throws -> Int {
        let dead = Set(try await deadLetters().joined())
        let stored = try await count("select count(*) from messages")
        guard !dead.isEmpty else { return stored }
        let both = dead.map { "\($0)" }.joined(separator: ", ")
        return stored + dead.count - (try await count("select count(*) from messages where id in (\(both))"))
    }

    /// Changes the pipeline's tables behind its back; on Postgres only.
    func alter(_ sql: String) async throws {
        let result = try await RunningProgram.run(
            "/usr/bin/psql",
            ["-q", "-v", "ON_ERROR_STOP=1", tablesURL, "-c", sql]
        )
        guard result.exitCode == 0 else { throw TimedOut(what: result.errors) }
    }
}
