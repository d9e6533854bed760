import Foundation
import Logging
import Model
import Storage
import TestSupport
import Testing

/// `chaffinch reparse` with the real binary, on rows written by hand: it needs neither a broker nor a supervisor.
@Suite(.serialized, .needsServers) struct ReparseTests {
    private static let note = RecordType(
        name: "note",
        fields: [FieldType(name: "word", kind: .text, required: true), FieldType(name: "amount", kind: .decimal)]
    )

    /// A desk whose rules take `word X 5`, and a store with its tables.
    private func desk(_ database: Desk.Database, messages: String = "all") async throws -> (Desk, any Store) {
        let desk = try await Desk(database: database)
        try desk.folder.write(
            """
            name: \(desk.name)
            store: { url: "${DATABASE_URL}", messages: \(messages) }
            discord: { token: "${NO_TOKEN_HERE}" }
            channels: [{ name: vip, id: "42" }, { name: free, id: "43" }]
            records:
              note: { fields: { word: { type: text, required: true }, amount: { type: decimal } } }
            parsers: parsers/
            """,
            to: "pipeline.yaml"
        )
        try desk.folder.write(
            #"""
            parser: words
            record: note
            fields:
              word: { match: 'word (?<value>\w+)' }
              amount: { match: 'word \w+ (?<value>[\d.]+)' }
            """#,
            to: "parsers/words.yaml"
        )
        let store = try openStore(
            desk.databaseURL,
            schema: StoreSchema(pipeline: desk.name, records: [Self.note]),
            name: "test",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        _ = try await store.setUp()
        return (desk, store)
    }

    private func message(
        _ id: Int,
        _ content: String,
        channel: Int = 42,
        _ outcome: Outcome = .unmatched,
        _ fields: [Record.NamedValue] = [],
        source: RecordSource = .rule
    ) throws -> ParsedMessage {
        let json =
            #"{"id":"\#(id)","channel_id":"\#(channel)","type":0,"timestamp":"2026-11-22T12:00:00Z","content":"\#(content)"}"#
        return ParsedMessage(
            message: try Message(JSONDocument(json).root),
            outcome: outcome,
            parser: fields.isEmpty ? nil : "words",
            parserVersion: fields.isEmpty ? nil : "old",
            source: fields.isEmpty ? nil : source,
            records: fields.isEmpty ? [] : [Record(type: "note", fields: fields)]
        )
    }

    @Test(arguments: [Desk.Database.postgres, .sqlite])
    func replacesWhatComesOutDifferently(_ database: Desk.Database) async throws {
        let (desk, store) = try await desk(database)
        let (alpha, one) = (
            Record.NamedValue("word", .text("alpha")), Record.NamedValue("amount", .decimal(ExactDecimal("1.5")!))
        )
        let new = try message(1, "word beta 2.50")
        _ = try await store.write(
            [
                new, try message(2, "word alpha 1.50", .parsed, [alpha, one]),
                try message(3, "word gamma", channel: 43),
                try message(4, "no longer", .parsed, [alpha]),
                try message(5, "theirs", .parsed, [alpha], source: .openai),
            ],
            keeping: .all
        )
        let dry = try await desk.run(["reparse", "--dry-run"])
        #expect(
            dry.output == """
                1  unmatched → parsed
                  + words  note word=beta amount=2.5
                3  unmatched → parsed
                  + words  note word=gamma
                4  parsed → unmatched
                  - words  note word=alpha
                5 messages read, 3 would change: unmatched → parsed 2, parsed → unmatched 1; \
                1 left as a plugin or the last resort decided

                """,
            "\(dry.errors)"
        )
        let one42 = try await desk.run(["reparse", "--channel", "vip", "--json"])
        #expect(try JSONDocument(one42.output).root["changed"]?.integer == 2, "\(one42.errors)")
        #expect(try await desk.run(["reparse", "--parser", "words"]).output.hasPrefix("5 messages read, 1 changed"))
        #expect(try await desk.run(["reparse"]).output.hasPrefix("5 messages read, 0 changed"))
        #expect(try await desk.run(["reparse", "--parser", "none"]).exitCode == 64)
        #expect(
            try await store.rows("SELECT message_id, word, amount FROM note ORDER BY message_id").rows
                == [["1", "beta", "2.5"], ["2", "alpha", "1.5"], ["3", "gamma", nil], ["5", "alpha", nil]]
        )
        // The original, delivered once more, is older; an edit is newer.
        #expect(try await store.write([new], keeping: .all) == WriteReport(written: 0, unchanged: 1))
        await store.close()
    }

    @Test func killedItGoesOnWhereItWas() async throws {
        let (desk, store) = try await desk(.sqlite, messages: "parsed")
        let count = 6_000
        for start in stride(from: 1, through: count, by: 1_000) {
            _ = try await store.write(try (start..<start + 1_000).map { try message($0, "word w\($0)") }, keeping: .all)
        }
        // What a supervisor does at its start: the rules are accepted.
        desk.environment["NO_TOKEN_HERE"] = "x"
        #expect(try await desk.run(["worker", "check"]).exitCode == 0)
        let first = try RunningProgram(
            Project.binary("chaffinch"),
            ["reparse"],
            environment: desk.environment,
            in: desk.folder.url,
            logs: desk.folder.url,
            name: "reparse"
        )
        let position = desk.folder.url.appending(path: "data/reparse.json").path
        try await eventually("it has begun") { FileManager.default.fileExists(atPath: position) || !first.isRunning }
        first.send(SIGKILL)
        _ = await first.exitCode()
        let wasCutOff = FileManager.default.fileExists(atPath: position)
        let second = try await desk.run(["reparse"])
        #expect(second.exitCode == 0 && second.errors.contains("going on") == wasCutOff, "\(second.errors)")
        #expect(second.errors.contains("'parsed'"))
        if wasCutOff { #expect(second.output.hasPrefix("6,000 messages read, ")) }
        #expect(!FileManager.default.fileExists(atPath: position))
        #expect(try await desk.count("select count(distinct message_id) from note") == count)
        #expect(try await desk.count("select count(distinct revision) from messages") == 1)
        await store.close()
    }
}
