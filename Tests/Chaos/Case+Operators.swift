import Foundation
import Logging
import Model
import Storage
import TestSupport

/// What operators run beside the tree, and writers that meet in the tables.
extension Case {
    static let operators: [Case] = [
        Case("replay killed half-way, and run twice") { chaos in
            let rig = chaos.rig
            try rig.start()
            try await rig.untilStored(1)
            try await rig.alter("alter table messages add constraint refused check (content not like '%REFUSED%')")
            let letters = chaos.times(40, 200)
            try await rig.feeding {
                for number in 1...letters { try await rig.post("REFUSED \(number)") }
                try await eventually("they are dead", within: .seconds(120)) {
                    try await rig.letters(in: "dead") == letters
                }
            }
            // A second copy that died as well would make a letter dead again that is replayed already.
            try await eventually("nothing is under way") { try await rig.queued() == 0 }
            try await rig.alter("alter table messages drop constraint refused")
            for _ in 0..<2 {
                let replay = try rig.replay("slow", ["--rate", "5"])
                let before = try await rig.letters(in: "replayed")
                try await eventually("some are replayed") { try await rig.letters(in: "replayed") > before }
                replay.send(SIGKILL)
                await replay.exitCode()
            }
            // At once, as two operators would.
            let both = [try rig.replay("one"), try rig.replay("other")]
            let codes = await [both[0].exitCode(), both[1].exitCode()]
            guard codes == [0, 0] else { throw TimedOut(what: "two replays to their end: \(codes)") }
            guard try await rig.letters(in: "replayed") == letters else {
                throw TimedOut(what: "a replay of all \(letters)")
            }
        },
        Case("four writers with overlapping shuffled batches") { chaos in
            let rig = chaos.rig
            let setup = try await rig.command(["setup"])
            guard setup.exitCode == 0 else { throw TimedOut(what: "setup: \(setup.errors)") }
            try await Writers(rig, rounds: chaos.times(5, 30), random: chaos.random).run()
            try await rig.alter("truncate messages, trading_signal, trading_signal_trading_stops")
            try rig.start()
        },
    ]
}

extension Rig {
    fileprivate func replay(_ log: String, _ options: [String] = []) throws -> RunningProgram {
        try RunningProgram(
            Project.binary("chaffinch"),
            ["dead", "replay", "--all"] + options,
            environment: environment,
            in: folder.url,
            logs: folder.url,
            name: log
        )
    }

    fileprivate func letters(in state: String) async throws -> Int {
        try await count("select count(*) from dead_letters where state = '\(state)'")
    }
}

/// Four connections that write the same messages in different versions and orders, all at once.
private struct Writers {
    private static let writers = 4
    private static let messages = 400
    private static let versions = 4
    private static let records = [
        RecordType(
            name: "trading_signal",
            fields: [FieldType(name: "ticker", kind: .text), FieldType(name: "side", kind: .enum)],
            lists: [
                ListType(
                    name: "trading_stops",
                    fields: [FieldType(name: "type", kind: .enum), FieldType(name: "price", kind: .decimal)]
                )
            ]
        )
    ]

    private let rig: Rig
    private let rounds: Int
    private let random: SplitMix64

    init(_ rig: Rig, rounds: Int, random: SplitMix64) {
        self.rig = rig
        self.rounds = rounds
        self.random = random
    }

    /// - Throws: whatever a write throws: a deadlock must not escape it.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var seeds = random
            for writer in 0..<Self.writers {
                let store = try openStore(
                    rig.tablesURL,
                    schema: StoreSchema(pipeline: rig.name, records: Self.records),
                    name: "writer \(writer)",
                    logger: Logger(label: "chaos") { _ in SwiftLogNoOpLogHandler() }
                )
                let rounds = rounds
                var random = SplitMix64(seed: seeds.next())
                group.addTask {
                    for round in 0..<rounds {
                        let batch = try (1...Self.messages).map {
                            try Self.message(UInt64($0), version: (writer + round + $0) % Self.versions)
                        }
                        _ = try await store.write(batch.shuffled(using: &random), keeping: .all)
                    }
                    await store.close()
                }
            }
            try await group.waitForAll()
        }
        let last = Self.versions - 1
        let found = try await rig.rows(
            """
            select (select count(*) from messages where content = 'v\(last)'), (select count(*) from messages),
                (select count(*) from trading_signal where ticker like 'V\(last)-%'),
                (select count(*) from trading_signal), (select count(*) from trading_signal_trading_stops)
            """
        )
        let rows = Self.messages * Self.versions
        let wanted = [Self.messages, Self.messages, rows, rows, rows].map { "\($0)" }
        guard found.first?.compactMap(\.self) == wanted else {
            throw TimedOut(what: "the highest version of each message: \(found) instead of \(wanted)")
        }
    }

    /// The higher the version, the more records.
    private static func message(_ id: UInt64, version: Int) throws -> ParsedMessage {
        let edited = version == 0 ? "null" : "\"2026-01-01T00:00:0\(version)+00:00\""
        let json = """
            {"id":"\(id)","channel_id":"1","type":0,"content":"v\(version)","timestamp":"2026-01-01T00:00:00+00:00",
            "edited_timestamp":\(edited),"author":{"id":"7","username":"finch"}}
            """
        return ParsedMessage(
            message: try Message(JSONDocument(json).root),
            outcome: .parsed,
            parser: "writers",
            parserVersion: "1",
            source: .rule,
            records: (0...version).map { number in
                Record(
                    type: "trading_signal",
                    fields: [
                        Record.NamedValue("ticker", .text("V\(version)-\(number)")),
                        Record.NamedValue("side", .text("long")),
                    ],
                    lists: [
                        Record.NamedList(
                            "trading_stops",
                            [
                                [
                                    Record.NamedValue("type", .text("stop_loss")),
                                    Record.NamedValue("price", .decimal(ExactDecimal("\(version)")!)),
                                ]
                            ]
                        )
                    ]
                )
            },
            revision: 0
        )
    }
}
