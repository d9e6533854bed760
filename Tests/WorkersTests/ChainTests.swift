import Model
import Testing

@testable import Workers

@Suite struct ChainTests {
    private func message(_ id: UInt64, _ outcome: Outcome, reason: String? = nil) throws -> ParsedMessage {
        let json = #"{"id":"\#(id)","channel_id":"1","type":0,"timestamp":"2024-12-01T00:00:00+00:00","content":"x"}"#
        return ParsedMessage(
            message: try Message(JSONDocument(json).root),
            outcome: outcome,
            reason: reason,
            records: outcome == .parsed ? [Record(type: "note")] : []
        )
    }

    @Test(arguments: [
        ([], false, []),
        ([], true, ["openai"]),
        (["score", "cards"], false, ["plugin.score", "plugin.cards"]),
        (["score", "cards"], true, ["plugin.score", "plugin.cards", "openai"]),
    ])
    func stagesFollowEachOther(plugins: [String], hasLastResort: Bool, expected: [String]) {
        let chain = Chain(plugins: plugins, hasLastResort: hasLastResort)
        var passed: [String] = []
        var stage = "parse"
        while let next = chain.stage(after: stage) {
            passed.append(next)
            stage = next
        }
        #expect(passed == expected)
        #expect(chain.stage(after: "plugin.unknown") == nil)
    }

    @Test func withoutFurtherStagesParseDecides() throws {
        let batch = [try message(1, .parsed), try message(2, .unmatched), try message(3, .invalid, reason: "r: why")]
        let routing = Chain(plugins: [], hasLastResort: false).route(batch, from: "parse")
        #expect(routing == Chain.Routing(store: batch))
    }

    @Test func whatIsUndecidedGoesOnwardAndNothingGoesTwice() throws {
        let batch = [try message(1, .parsed), try message(2, .unmatched), try message(3, .invalid, reason: "r: why")]
        let routing = Chain(plugins: ["score"], hasLastResort: false).route(batch, from: "parse")
        #expect(routing.store == [batch[0]])
        #expect(routing.onward == [batch[1], batch[2]])
        #expect(routing.next == "plugin.score")
    }

    @Test func theLastStageSkipsWhatItDeclinesAndKeepsEveryReason() throws {
        let chain = Chain(plugins: ["score"], hasLastResort: true)
        let first = try message(1, .unmatched).declined(by: "score", because: "no score in it")
        let second = try message(2, .invalid, reason: "alerts: check failed").declined(by: "score", because: "odd")
        let onward = chain.route([first, second], from: "plugin.score")
        #expect(onward.store.isEmpty)
        #expect(onward.next == "openai")
        #expect(onward.onward.map(\.outcome) == [.unmatched, .invalid])
        let final = chain.route(onward.onward.map { $0.declined(by: "openai", because: "chatter") }, from: "openai")
        #expect(final.onward.isEmpty)
        #expect(final.store.map(\.outcome) == [.skipped, .skipped])
        #expect(
            final.store.map(\.reason) == [
                "score: no score in it; openai: chatter", "alerts: check failed; score: odd; openai: chatter",
            ]
        )
    }

    @Test func whatTheLastResortWouldNotAskAboutEndsWithoutIt() throws {
        let batch = [
            try message(1, .unmatched), try message(2, .invalid, reason: "r: why"), try message(3, .unmatched),
        ]
        let alone = Chain(plugins: [], hasLastResort: true)
        let routing = alone.route(batch, from: "parse") { $0.id == Snowflake(3) }
        #expect(routing.store == [batch[0], batch[1]])
        #expect(routing.onward == [batch[2]])
        #expect(alone.withoutLastResort(batch[1]) == batch[1])
        // A plugin has declined it by then, and no plugin is asked whether it admits a message.
        let behind = Chain(plugins: ["score"], hasLastResort: true)
        #expect(behind.route(batch, from: "parse") { _ in false }.onward == batch)
        #expect(
            behind.route(batch, from: "plugin.score") { _ in false }.store.map(\.outcome) == [
                .skipped, .skipped, .skipped,
            ]
        )
        #expect(behind.withoutLastResort(batch[0]).outcome == .skipped)
    }

    @Test func anEndlessReasonIsCut() throws {
        let declined = try message(1, .unmatched).declined(by: "a", because: String(repeating: "x", count: 10_000))
        #expect(try #require(declined.reason).count == 503)
    }

    /// The verdict so far survives the wire, so that the last stage knows what the first said.
    @Test func theVerdictSoFarTravels() throws {
        let parsed = try message(3, .invalid, reason: "alerts: why").declined(by: "score", because: "odd")
        let elements = try RecordBatch.decode(RecordBatch.encode([parsed]), types: [:])
        guard case .parsed(let read)? = elements.first else {
            Issue.record("the element is broken")
            return
        }
        #expect(read == parsed)
    }
}
