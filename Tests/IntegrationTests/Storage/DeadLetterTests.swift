import Model
import Testing

@testable import Storage

@Suite("Dead letters and books")
struct DeadLetterTests {
    private func letter(
        _ id: String,
        messages: [UInt64] = [1],
        text: String = "boom",
        at: Timestamp = .noon,
        payload: [UInt8] = [0, 255, 92]
    ) -> DeadLetter {
        DeadLetter(
            id: id,
            stage: "parse",
            messageIDs: messages.map { Snowflake($0) },
            errorClass: "permanent",
            errorText: text,
            attempts: 2,
            attemptTimes: [.noon, at],
            firstAt: .noon,
            lastAt: at,
            worker: "parse/1",
            version: "0.1.0",
            generation: 7,
            fingerprint: DeadLetter.makeFingerprint(stage: "parse", error: text),
            payload: payload
        )
    }

    @Test("a letter is kept with all it says", arguments: DatabaseKind.available)
    func keepsLetters(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            try await store.insert([
                letter("b", messages: [1, 2], text: "nul \0"), letter("a", messages: [], payload: []),
            ])
            let rows = try await store.rows(
                """
                SELECT id, stage, error_class, error_code, error_text, attempts, \(database.iso("last_at")), worker,
                    version, generation, payload, state FROM dead_letters ORDER BY id
                """
            ).rows
            let time = "2026-11-22T12:00:00.000000Z"
            #expect(
                rows == [
                    ["a", "parse", "permanent", nil, "boom", "2", time, "parse/1", "0.1.0", "7", "\\x", "dead"],
                    [
                        "b", "parse", "permanent", nil, "nul \u{FFFD}", "2", time, "parse/1", "0.1.0", "7", "\\x00ff5c",
                        "dead",
                    ],
                ]
            )
        }
    }

    @Test(
        "delivered again it stays as it is; a later death of the same id is dead anew",
        arguments: DatabaseKind.available
    )
    func upserts(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            try await store.insert([letter("a", at: .noon.later(bySeconds: 10))])
            try await database.execute("UPDATE dead_letters SET state = 'discarded'")
            func state() async throws -> [[String?]] {
                try await store.rows("SELECT error_text, state FROM dead_letters").rows
            }
            try await store.insert([letter("a", at: .noon.later(bySeconds: 10))])
            #expect(try await state() == [["boom", "discarded"]])
            try await store.insert([letter("a", text: "outdated", at: .noon)])
            #expect(try await state() == [["boom", "discarded"]])
            try await store.insert([letter("a", text: "again", at: .noon.later(bySeconds: 11))])
            #expect(try await state() == [["again", "dead"]])
        }
    }

    /// Deaths of two versions of one message, in either order: what a replay would lose for good is the higher one.
    @Test("the payload of a higher version is not replaced by a later death", arguments: DatabaseKind.available)
    func keepsTheHigherVersion(kind: DatabaseKind) async throws {
        func body(_ content: String, edited: String? = nil, revision: Int? = nil) -> [UInt8] {
            let edit = edited.map { #""edited_timestamp":"2026-11-22T12:00:\#($0).000000+00:00","# } ?? ""
            let message = #"{"id":"1","timestamp":"2026-11-22T12:00:00.000000+00:00",\#(edit)"content":"\#(content)"}"#
            return Array((revision.map { #"[{"message":\#(message),"revision":\#($0)}]"# } ?? "[\(message)]").utf8)
        }
        let original = letter("a", text: "first", at: .noon.later(bySeconds: 90), payload: body("original"))
        let edit = letter("a", text: "second", at: .noon.later(bySeconds: 60), payload: body("edit", edited: "30"))
        let reparsed = letter("a", text: "third", at: .noon, payload: body("edit", edited: "30", revision: 5))
        for order in [[original, edit], [edit, original], [original, edit, reparsed], [reparsed, original, edit]] {
            try await TestDatabase.withStore(kind) { store, _ in
                for letter in order { try await store.insert([letter]) }
                let expected = order.contains(reparsed) ? reparsed : edit
                #expect(try await store.deadLetter("a")?.letter.payload == expected.payload)
                #expect(try await store.deadLetter("a")?.letter.errorText == expected.errorText)
                _ = try await store.claimDeadLetters(["a"], for: "r")
                try await store.finishReplay(of: ["a"])
                try await store.insert([original])
                #expect(try await store.deadLetter("a")?.letter.state == "replayed")
            }
        }
    }

    @Test("every accepted message is counted once", arguments: DatabaseKind.available)
    func balances(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, database in
            #expect(try await store.books() == Books(recordRows: ["trading_signal": 0, "deploy": 0]))
            var batch: [ParsedMessage] = [
                try .sample(1, records: [.signal("A"), .signal("B")]), try .sample(2, records: [.deploy("1")]),
                try .sample(3), try .sample(4), try .sample(5),
            ]
            batch[3].outcome = .invalid
            batch[4].outcome = .skipped
            _ = try await store.write(batch, keeping: .all)
            // 10 died twice; 1 has a row, so its dead edit counts by the row.
            try await store.insert([
                letter("a", messages: [10, 11]), letter("b", messages: [10]), letter("c", messages: [1]),
                letter("d", messages: []),
            ])
            let books = try await store.books()
            #expect(
                books
                    == Books(
                        parsed: 2,
                        unmatched: 1,
                        invalid: 1,
                        skipped: 1,
                        dead: 2,
                        accepted: 7,
                        recordRows: ["trading_signal": 2, "deploy": 1]
                    )
            )
            #expect(books.balances)
            // Replayed and on its way: known, but nowhere yet.
            try await database.execute("UPDATE dead_letters SET state = 'replayed' WHERE id = 'a'")
            let during = try await store.books()
            #expect(during.accepted == 7 && during.dead == 1 && !during.balances)
            _ = try await store.write([.sample(11)], keeping: .all)
            #expect(try await store.books().balances)
        }
    }

    @Test("ids tell replays apart")
    func makesIDs() {
        #expect(DeadLetter.makeID(messageID: "5", stage: "parse") == "parse/5")
        #expect(DeadLetter.makeID(messageID: "5", stage: "parse", replay: "") == "parse/5")
        #expect(DeadLetter.makeID(messageID: "5", stage: "parse", replay: "r1") == "parse/5/r1")
    }

    @Test(
        "fingerprints pass over digits and quoted values",
        arguments: [
            ("no field 'a' at 12", "no field 'bcd' at 7", true), ("no field 'a'", "no list 'a'", false),
            ("HTTP 500", "HTTP 503", true), ("it's odd", "it's even", false),
        ]
    )
    func makesFingerprints(first: String, second: String, alike: Bool) {
        let prints = [first, second].map { DeadLetter.makeFingerprint(stage: "parse", error: $0) }
        #expect((prints[0] == prints[1]) == alike)
        #expect(prints[0] != DeadLetter.makeFingerprint(stage: "store", error: first))
    }
}
