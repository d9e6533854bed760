import Model
import Testing

@testable import Storage

@Suite("What operators do with dead letters")
struct DeadLetterDeskTests {
    private static func letter(
        _ id: String,
        stage: String = "parse",
        messages: [UInt64] = [1],
        text: String = "boom",
        at: Timestamp = .noon
    ) -> DeadLetter {
        DeadLetter(
            id: id,
            stage: stage,
            messageIDs: messages.map { Snowflake($0) },
            errorClass: "permanent",
            errorCode: "22003",
            errorText: text,
            attempts: 2,
            attemptTimes: [.noon, at],
            firstAt: .noon,
            lastAt: at,
            worker: "parse/1",
            version: "0.1.0",
            generation: 7,
            fingerprint: DeadLetter.makeFingerprint(stage: stage, error: text),
            payload: [0, 255, 92],
            messageID: "wire-\(id)",
            type: "message.page",
            pipeline: "trading-desk",
            replay: "r0"
        )
    }

    private static let letters = [
        letter("a", messages: [1, 2], at: .noon.later(bySeconds: 1)),
        letter("b", text: "no field 'x'", at: .noon.later(bySeconds: 2)),
        letter("c", stage: "store", messages: [3], at: .noon.later(bySeconds: 3)),
        letter("d'; --", messages: [], text: "no field 'yz'", at: .noon.later(bySeconds: 4)),
    ]

    @Test("a letter comes back with all it was kept with", arguments: DatabaseKind.available)
    func reads(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            try await store.insert(Self.letters)
            #expect(try await store.deadLetter("a") == DeadLetterEntry(letter: Self.letters[0]))
            #expect(try await store.deadLetter("d'; --")?.letter.payload == [0, 255, 92])
            #expect(try await store.deadLetter("none") == nil)
        }
    }

    static let filters: [(DeadLetterFilter, [String])] = [
        (DeadLetterFilter(), ["a", "b", "c", "d'; --"]),
        (DeadLetterFilter(ids: ["c", "d'; --", "x"]), ["c", "d'; --"]),
        (DeadLetterFilter(states: [.dead, .replaying]), ["a", "b", "c", "d'; --"]),
        (DeadLetterFilter(states: [.discarded]), []),
        (DeadLetterFilter(stage: "store"), ["c"]),
        (
            DeadLetterFilter(fingerprint: DeadLetter.makeFingerprint(stage: "parse", error: "no field 'x'")),
            ["b", "d'; --"]
        ),
        (DeadLetterFilter(message: Snowflake(2)), ["a"]),
        (DeadLetterFilter(since: .noon.later(bySeconds: 2), until: .noon.later(bySeconds: 4)), ["b", "c"]),
        (DeadLetterFilter(states: [.dead], stage: "parse", message: Snowflake(1)), ["a", "b"]),
    ]

    @Test("filters", arguments: DatabaseKind.available)
    func filters(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            try await store.insert(Self.letters)
            for (filter, expected) in Self.filters {
                #expect(try await store.deadLetterIDs(filter) == expected, "\(filter)")
                #expect(try await store.deadLetters(filter, limit: 9).map(\.id) == expected.reversed(), "\(filter)")
            }
            #expect(try await store.deadLetters(DeadLetterFilter(), limit: 1).map(\.id) == ["d'; --"])
        }
    }

    @Test("groups letters of one cause", arguments: DatabaseKind.available)
    func groups(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            try await store.insert(Self.letters)
            let groups = try await store.deadLetterGroups(DeadLetterFilter(states: [.dead]))
            #expect(groups.map(\.count) == [2, 1, 1])
            let first = try #require(groups.first)
            #expect(first.stage == "parse" && first.exampleID == "b" && first.errorText == "no field 'x'")
            #expect(first.firstAt == .noon && first.lastAt == .noon.later(bySeconds: 4))
        }
    }

    @Test("a replay claims, finishes, and is taken up under its own name", arguments: DatabaseKind.available)
    func claims(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            try await store.insert(Self.letters)
            let all = Self.letters.map(\.id)
            #expect(try await store.discardDeadLetters(["c", "none"], reason: "spam") == 1)
            let first = try await store.claimDeadLetters(["a", "b", "c"], for: "r1")
            #expect(Set(first.map(\.letter.id)) == ["a", "b"] && first.allSatisfy { $0.replayedBy == "r1" })
            try await store.finishReplay(of: ["a"])
            // The first was killed here: b keeps its name, so that it lands on the same letter if it dies again.
            let second = try await store.claimDeadLetters(all, for: "r2")
            #expect(second.reduce(into: [:]) { $0[$1.letter.id] = $1.replayedBy } == ["b": "r1", "d'; --": "r2"])
            try await store.giveUpReplay(of: ["d'; --"])
            try await store.finishReplay(of: all)
            var states: [String: String] = [:]
            for id in all { states[id] = try await store.deadLetter(id)?.letter.state }
            #expect(states == ["a": "replayed", "b": "replayed", "c": "discarded", "d'; --": "dead"])
            let discarded = try #require(try await store.deadLetter("c"))
            #expect(discarded.reason == "spam" && discarded.settledAt != nil)
            #expect(try await store.discardDeadLetters(all, reason: "rest") == 1)
        }
    }

    @Test("what dies anew under the same id forgets how the last death was settled", arguments: DatabaseKind.available)
    func diesAnew(kind: DatabaseKind) async throws {
        try await TestDatabase.withStore(kind) { store, _ in
            try await store.insert([Self.letter("a")])
            _ = try await store.discardDeadLetters(["a"], reason: "spam")
            try await store.insert([Self.letter("a")])
            #expect(try await store.deadLetter("a")?.reason == "spam")
            let later = Self.letter("a", at: .noon.later(bySeconds: 5))
            try await store.insert([later])
            #expect(try await store.deadLetter("a") == DeadLetterEntry(letter: later))
        }
    }
}
