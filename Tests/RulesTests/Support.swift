import Foundation
import Model
import PipelineFile
import TestSupport

@testable import Rules

/// The record type of the shipped rule files.
let tradingSignal = RecordType(
    name: "trading_signal",
    fields: [
        FieldType(name: "ticker", kind: .text, required: true),
        FieldType(name: "side", kind: .enum, required: true, values: ["long", "short"]),
        FieldType(name: "status", kind: .enum, values: ["opened", "closed"], defaultValue: .text("opened")),
        FieldType(name: "entry_type", kind: .enum, values: ["market", "limit"], defaultValue: .text("market")),
        FieldType(name: "entry_price", kind: .decimal),
        FieldType(name: "entry_high", kind: .decimal),
        FieldType(name: "leverage", kind: .decimal),
        FieldType(name: "risk", kind: .decimal),
    ],
    lists: [
        ListType(
            name: "trading_stops",
            fields: [
                FieldType(name: "type", kind: .enum, required: true, values: ["stop_loss", "take_profit"]),
                FieldType(name: "price", kind: .decimal, required: true),
            ]
        )
    ],
    checks: ["entry_price > 0", "trading_stops.price > 0", "entry_price or trading_stops"]
)

/// A record type with a field of every kind.
let everyKind = RecordType(
    name: "sample",
    fields: [
        FieldType(name: "name", kind: .text, required: true),
        FieldType(name: "count", kind: .integer),
        FieldType(name: "amount", kind: .decimal),
        FieldType(name: "done", kind: .boolean),
        FieldType(name: "at", kind: .timestamp),
        FieldType(name: "colour", kind: .enum, values: ["Red", "Green"]),
        FieldType(name: "data", kind: .json),
    ],
    lists: [
        ListType(
            name: "parts",
            fields: [
                FieldType(name: "label", kind: .text),
                FieldType(name: "size", kind: .decimal, required: true),
                FieldType(name: "sort", kind: .enum, values: ["big", "small"]),
            ]
        )
    ]
)

let testChannels = [
    ChannelName(id: Snowflake(11), name: "gold-room"), ChannelName(id: Snowflake(12), name: "gold-desk"),
    ChannelName(id: Snowflake(13), name: "chat"),
]

/// Compiles rule texts as `r1.yaml`, `r2.yaml`, …
func compile(
    _ texts: String...,
    records: [RecordType] = [everyKind, tradingSignal],
    examples: Bool = true
) -> RuleCompilation {
    RuleCompiler.compile(
        texts.enumerated().map { SourceFile(name: "r\($0 + 1).yaml", text: $1) },
        records: records,
        channels: testChannels,
        runningExamples: examples
    )
}

/// A rule for ``everyKind`` with `name` taken from `name=…` and further lines of YAML.
func rule(_ id: String = "test", _ lines: String = "", fields: String = "") -> String {
    """
    parser: \(id)
    record: sample
    normalize: []
    \(lines)
    fields:
      name: { match: 'name=(?<value>\\w+)' }
    \(fields.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))
    """
}

func message(_ content: String, channel: UInt64 = 13, embed: String? = nil) -> Message {
    var writer = JSONWriter()
    writer.object { writer in
        for (key, value) in [("id", "1"), ("channel_id", String(channel)), ("content", content)] {
            writer.key(key)
            writer.value(value)
        }
        writer.key("type")
        writer.value(0)
        writer.key("timestamp")
        writer.value("2026-03-01T12:00:00Z")
        if let embed {
            writer.key("embeds")
            writer.array {
                $0.object {
                    $0.key("description"); $0.value(embed)
                }
            }
        }
    }
    // The test's own JSON is right.
    return try! Message(JSONDocument(writer.bytes).root)
}

extension RuleCompilation {
    /// One message through the rules, as a short text: the records, or the outcome and its reason.
    func outcome(_ content: String, channel: UInt64 = 13, embed: String? = nil) -> String {
        guard let rules else { return "no rules" }
        let parsed = rules.parse(message(content, channel: channel, embed: embed))
        guard parsed.outcome == .parsed else {
            return parsed.outcome.rawValue + (parsed.reason.map { ": \($0)" } ?? "")
        }
        return parsed.records.map(\.short).joined(separator: " | ")
    }

    var messages: [String] { diagnostics.all.map(\.description) }
}

extension Record {
    /// `name=a amount=1 parts=[size=1][size=2]`.
    var short: String {
        let lists = lists.map { list in
            "\(list.name)=" + list.elements.map { "[\(Self.short($0))]" }.joined()
        }
        return ([Self.short(fields)] + lists).joined(separator: " ")
    }

    private static func short(_ fields: [NamedValue]) -> String {
        fields.map { "\($0.name)=\($0.value.shown)" }.joined(separator: " ")
    }
}

extension FieldValue {
    var shown: String {
        switch self {
        case .text(let value), .json(let value): value
        case .integer(let value): "\(value)"
        case .decimal(let value): "\(value)"
        case .boolean(let value): "\(value)"
        case .timestamp(let value): "\(value)"
        }
    }
}

func source(_ path: String) throws -> SourceFile {
    SourceFile(name: path, text: try String(contentsOf: Project.root.appending(path: path), encoding: .utf8))
}
