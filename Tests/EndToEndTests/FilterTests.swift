import Foundation
import Model
import TestSupport
import Testing

/// Commands that need no server.
@Suite struct FilterTests {
    private static let messages = [
        #"{"id":"1","channel_id":"2","type":0,"timestamp":"2024-12-09T22:25:37Z","content":"$BTC long\nEntry: 68.5k\nSL: 67,000.50"}"#,
        "not json",
        #"{"id":"2","channel_id":"2","type":0,"timestamp":"2024-12-09T22:25:38Z","content":"I am going long here"}"#,
    ]

    private func run(
        _ arguments: [String],
        input: String? = nil
    ) async throws -> (exitCode: Int32, output: String, errors: String) {
        try await RunningProgram.run(Project.binary("chaffinch"), arguments, input: input, in: Project.root)
    }

    @Test func parseAnswersLineByLineWithoutAToken() async throws {
        let result = try await run(["parse"], input: Self.messages.joined(separator: "\n"))
        #expect(result.exitCode == 1)
        #expect(result.errors.contains("standard input:2: not valid JSON"))
        let lines = try result.output.split(separator: "\n").map { try JSONDocument(String($0)).root }
        #expect(lines.map { $0["outcome"]?.string } == ["parsed", "unmatched"])
        let message = try #require(lines[0]["message"])
        #expect(String(decoding: message.raw, as: UTF8.self) == Self.messages[0])
        let record = try #require(lines[0]["records"]?.elements.map { $0 }.first)
        #expect(record["fields"]?["entry_price"]?.numberLiteral == "68500")
        let stop = record["lists"]?["trading_stops"]?.elements.map { $0 }.first
        #expect(stop?["price"]?.numberLiteral == "67000.5")
    }

    @Test func testRunsTheExamplesOfTheShippedRules() async throws {
        let all = try await run(["test"])
        #expect(all.exitCode == 0, "\(all.output)")
        #expect(all.output.contains("ok   parsers/signals/trading-signals.yaml:"))
        #expect(all.output.contains(" passed, 0 failed"))
        let folder = try TemporaryFolder()
        let rules = try String(contentsOf: TradingDesk.rules, encoding: .utf8)
        try folder.write(rules.replacing("entry_price: 42.08", with: "entry_price: 42.09"), to: "wrong.yaml")
        let wrong = try await run(["test", folder.url.appending(path: "wrong.yaml").path])
        #expect(wrong.exitCode == 1)
        #expect(wrong.output.contains("FAIL"))
        #expect(wrong.output.contains("42.09") && wrong.output.contains("42.08"))
    }

    /// What `check` refuses does not pass here.
    @Test func testShowsWhatWouldKeepARuleFromGoingLive() async throws {
        let folder = try TemporaryFolder()
        func write(check: String) throws {
            let record = "note: { fields: { word: { type: text, required: true } }, check: [\(check)] }"
            try folder.write("name: desk\nrecords: { \(record) }\nparsers: parsers/\n", to: "pipeline.yaml")
        }
        func rule(_ name: String, _ pattern: String) -> String {
            "parser: \(name)\nrecord: note\nfields: { word: { match: '\(pattern)' } }\n"
                + "examples: [{ text: 'aa!', expect: [{ word: aa }] }]\n"
        }
        func test(_ files: String...) async throws -> (exitCode: Int32, output: String, errors: String) {
            try await RunningProgram.run(Project.binary("chaffinch"), ["test"] + files, in: folder.url)
        }
        try write(check: "")
        try folder.write(rule("a", "(?<value>(a+)+)!"), to: "parsers/a.yaml")
        let runaway = try await test()
        #expect(runaway.exitCode == 1)
        #expect(runaway.errors.contains("parsers/a.yaml:3:26: a pattern of 'word' runs into the step limit"))
        #expect(runaway.output.hasSuffix("1 passed, 0 failed, in 1 parser; 1 file has mistakes\n"))

        try folder.write(rule("a", "(?<value>a+)!"), to: "parsers/a.yaml")
        try folder.write(rule("b", "^(?<value>a+)!"), to: "parsers/b.yaml")
        let conflict = try await test()
        #expect(conflict.exitCode == 1 && conflict.errors.contains("parsers/b.yaml:1:9: priority 100 is also that of"))
        #expect(try await test("parsers/a.yaml").exitCode == 0)
        // A file that stands elsewhere has its mistakes too.
        try folder.write("parser: c\nrecord: nope\n", to: "elsewhere.yaml")
        let elsewhere = try await test("elsewhere.yaml")
        #expect(elsewhere.exitCode == 1 && elsewhere.errors.contains("elsewhere.yaml:2:9: "))
        // With broken record types no rule can be tried.
        try write(check: "wrod > 1")
        let broken = try await test("parsers/a.yaml")
        #expect(broken.exitCode == 1)
        #expect(broken.errors.contains("pipeline.yaml:2:") && broken.errors.contains("'wrod'; did you mean 'word'?"))
        #expect(broken.output == "no example ran: 1 file has mistakes\n")
    }

    @Test func rulesAreListedWithoutASupervisorToo() async throws {
        let listed = try await run(["rules"])
        #expect(listed.exitCode == 0)
        #expect(listed.output.contains("\ntrading-signals ") && listed.output.contains("without counts"))
        let unknown = try await run(["rules", "trading-signal"])
        #expect(unknown.exitCode == 64)
        #expect(unknown.errors.contains("did you mean 'trading-signals'?"))
    }

    @Test func scoreExits1WhenARecordIsWrongAndShowsTheDifference() async throws {
        let folder = try TemporaryFolder()
        let right =
            #"{"text":"$BTC long\nEntry: 68.5k\nSL: 67,000.50","expect":[{"ticker":"BTC","side":"long","entry_price":68500,"stop_loss":[67000.5]}]}"#
        try folder.write(right + "\n" + #"{"text":"I am going long","expect":"none"}"# + "\n", to: "truth.jsonl")
        let path = folder.url.appending(path: "truth.jsonl").path
        let good = try await run(["score", "--truth", path])
        #expect(good.exitCode == 0, "\(good.output)\(good.errors)")
        #expect(good.output.contains("1 with records: 1 right, 0 wrong, 0 missed, coverage 100.0 %"))
        try folder.write(right.replacing("68500", with: "68501"), to: "truth.jsonl")
        let wrong = try await run(["score", "--truth", path])
        #expect(wrong.exitCode == 1)
        #expect(wrong.output.contains("-   entry_price: 68501\n    +   entry_price: 68500"))
        let json = try await run(["score", "--json", "--truth", path])
        #expect(json.exitCode == 1)
        #expect(try JSONDocument(json.output).root["summary"]?["wrong"]?.integer == 1)
        #expect(try await run(["score", "--truth", "/nowhere"]).exitCode == 64)
    }

    @Test func usageErrorsExit64AndHelpExits0() async throws {
        #expect(try await run(["no-such-command"]).exitCode == 64)
        #expect(try await run(["check", "--no-such-option"]).exitCode == 64)
        let help = try await run(["help", "supervisor"])
        #expect(help.exitCode == 0)
        #expect(help.output.contains("chaffinch supervisor --only fetch,parse"))
        #expect(try await run(["schema", "pipeline"]).output.contains("\"$schema\""))
    }

    @Test func noSupervisorIs69() async throws {
        let folder = try TemporaryFolder()
        #expect(try await run(["status", "--data", folder.url.path]).exitCode == 69)
        let live = try await run(["status", "--live", "--data", folder.url.path])
        #expect(live.exitCode == 69 && live.output.isEmpty && live.errors.isEmpty)
    }
}
