import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

@Suite("Rule files that come with Chaffinch")
struct ShippedRulesTests {
    static let optionAlert = RecordType(
        name: "option_alert",
        fields: [
            FieldType(name: "alert_type", kind: .enum, required: true, values: ["call", "put", "exit"]),
            FieldType(name: "ticker", kind: .text, required: true),
            FieldType(name: "price", kind: .decimal, required: true),
            FieldType(name: "alert_time", kind: .timestamp, required: true),
        ],
        checks: ["price > 0"]
    )

    @Test(
        "they compile, and their examples hold",
        arguments: [
            "parsers/trading-signals.yaml", "examples/option-alerts/parsers/option-alerts.yaml",
        ]
    )
    func compiles(path: String) throws {
        let compilation = RuleCompiler.compile(
            [try source(path)],
            records: [tradingSignal, Self.optionAlert],
            channels: [],
            runningExamples: true
        )
        #expect(compilation.messages == [])
        #expect(compilation.files.map(\.isGood) == [true])
        #expect(compilation.examples.count >= 8)
    }
}

@Suite("All shipped rule files of the folder parsers")
struct ShippedFolderTests {
    @Test("compile side by side, without a conflict, and their examples hold")
    func together() throws {
        let folder = Project.root.appending(path: "parsers").resolvingSymlinksInPath()
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }
        let compilation = RuleCompiler.compile(
            try names.sorted().map { try source("parsers/\($0)") },
            records: [tradingSignal, ShippedRulesTests.optionAlert],
            channels: [],
            runningExamples: true
        )
        #expect(compilation.messages == [])
        #expect(names.isEmpty == false && compilation.files.allSatisfy { $0.isGood })
        // Rules without a gate would be tried on every message of every channel.
        let gates = compilation.rules?.parsers.map(\.gate) ?? []
        #expect(!gates.contains(ParserSummary.Gate.none))
    }
}

/// What the shipped files make of real messages, which are read where they are and not copied.
@Suite("Shipped rules on real messages", .enabled(if: Project.sharedData != nil, "\(Project.missingSharedData)"))
struct RealMessagesTests {
    @Test("every option alert gives the values it is labelled with")
    func optionAlerts() throws {
        let compilation = RuleCompiler.compile(
            [try source("examples/option-alerts/parsers/option-alerts.yaml")],
            records: [ShippedRulesTests.optionAlert],
            channels: [],
            runningExamples: false
        )
        let rules = try #require(compilation.rules)
        var wrong: [String] = []
        let lines = try sharedLines("discord_option_alerts.jsonl")
        #expect(lines.count == 5556)
        for line in lines {
            let json = try JSONDocument(String(line)).root
            let content = try #require(json["content"]?.string)
            let labels = try #require(json["labels"])
            let expected = Record(
                type: "option_alert",
                fields: [
                    .init("alert_type", .text(labels["alert_type"]?.string ?? "")),
                    .init("ticker", .text(labels["ticker"]?.string ?? "")),
                    .init("price", .decimal(try #require(ExactDecimal(labels["price"]?.numberLiteral ?? "")))),
                    .init(
                        "alert_time",
                        .timestamp(try #require(Timestamp(iso8601: labels["alert_time"]?.string ?? "")))
                    ),
                ]
            )
            let parsed = rules.parse(message(content))
            if parsed.records != [expected] { wrong.append("\(content) → \(parsed.records.map(\.short))") }
        }
        #expect(wrong.prefix(5).isEmpty, "\(wrong.count) of \(lines.count) are wrong")
    }

    @Test(
        "chatter gives no record",
        arguments: ["discord_komodo_feeds.jsonl", "community_formats.jsonl", "discord_option_alerts.jsonl"]
    )
    func chatter(name: String) throws {
        let compilation = RuleCompiler.compile(
            [try source("parsers/trading-signals.yaml")],
            records: [tradingSignal],
            channels: [],
            runningExamples: false
        )
        let rules = try #require(compilation.rules)
        for line in try sharedLines(name) {
            let json = try JSONDocument(String(line)).root
            let text = try #require(json["content"]?.string ?? json["text"]?.string)
            let parsed = rules.parse(message(text))
            #expect(parsed.records.map(\.short) == [], "\(text)")
        }
    }

    @Test("no signal is read wrongly, and what is no signal gives no record")
    func signals() throws {
        let compilation = RuleCompiler.compile(
            [try source("parsers/trading-signals.yaml")],
            records: [tradingSignal],
            channels: [],
            runningExamples: false
        )
        let rules = try #require(compilation.rules)
        let truths = try sharedLines("signals_truth.jsonl")
        var wrong: [String] = []
        var right = 0
        for (line, truth) in zip(try sharedLines("signals.jsonl"), truths) {
            let text = try #require(try JSONDocument(String(line)).root["text"]?.string)
            let records = rules.parse(message(text)).records
            guard !records.isEmpty else { continue }
            let expected = try JSONDocument(String(truth)).root["records"]?.elements.map(Self.summary) ?? []
            if records.map(Self.summary) == expected {
                right += 1
            } else {
                wrong.append("\(text)\n  got      \(records.map(Self.summary))\n  expected \(expected)")
            }
        }
        #expect(wrong == [])
        #expect(right >= 80)
    }

    /// The keys of the hand-made labels, in one order.
    private static let keys = ["ticker", "side", "entry_price", "entry_high", "leverage", "risk"]

    private static func summary(_ json: JSONView) -> String {
        let fields = keys.compactMap { key -> String? in
            guard let value = json.member(key) else { return nil }
            let number = value.numberLiteral.flatMap { ExactDecimal($0)?.description }
            return "\(key)=\(value.string ?? number ?? "?")"
        }
        let stops = ["stop_loss", "take_profit"].map { key in
            var prices: [String] = []
            if let list = json.member(key) {
                for price in list.elements {
                    prices.append(ExactDecimal(price.numberLiteral ?? "")?.description ?? "?")
                }
            }
            return "\(key)=\(prices.joined(separator: ","))"
        }
        return (fields + stops).joined(separator: " ")
    }

    private static func summary(_ record: Record) -> String {
        let fields = keys.compactMap { key in record.value(of: key).map { "\(key)=\($0.shown)" } }
        let stops = ["stop_loss", "take_profit"].map { type in
            let prices = record.list(named: "trading_stops").filter { $0.value(of: "type") == .text(type) }
                .compactMap { $0.value(of: "price")?.shown }
            return "\(type)=\(prices.joined(separator: ","))"
        }
        return (fields + stops).joined(separator: " ")
    }
}

func sharedLines(_ name: String) throws -> [Substring] {
    let folder = try #require(Project.sharedData)
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n")
}
