import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

/// What the shipped rules make of real messages, which are read where they are and not copied.
@Suite("Shipped rules on real messages", .enabled(if: Project.sharedData != nil, "\(Project.missingSharedData)"))
struct RealMessagesTests {
    @Test("every option alert gives the values it is labelled with")
    func optionAlerts() throws {
        let rules = try Shipped.rules()
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

    @Test("what is no signal gives no signal", arguments: ["discord_komodo_feeds.jsonl", "community_formats.jsonl"])
    func chatter(name: String) throws {
        let rules = try Shipped.rules()
        for line in try sharedLines(name) {
            let json = try JSONDocument(String(line)).root
            let text = try #require(json["content"]?.string ?? json["text"]?.string)
            let signals = rules.parse(message(text)).records.filter { $0.type == "trading_signal" }
            #expect(signals.map(\.short) == [], "\(text)")
        }
    }

    /// Labelled by hand; Fixtures/labels/README.md tells how.
    @Test(
        "feeds are read as they are labelled",
        arguments: [
            ("code-hosting", "feed-github"), ("server-status", "notary-node-alarms"), ("tip-bot", "tip-bot"),
        ]
    )
    func feeds(name: String, channel: String) throws {
        let rules = try Shipped.rules()
        let messages = try FeedMessages(channel: channel)
        let labels = try fixtureLines("labels/\(name).jsonl")
        #expect(labels.count == 100)
        var missed = 0
        for line in labels {
            let label = try JSONDocument(String(line)).root
            let id = try #require(label["id"]?.string)
            let expected = label["records"]?.elements.map { FeedMessages.summary($0) } ?? []
            let got = rules.parse(try #require(try messages.message(id))).records.map { FeedMessages.summary($0) }
            if got.isEmpty && !expected.isEmpty { missed += 1 } else { #expect(got == expected, "message \(id)") }
        }
        #expect(missed <= 1)
    }
}

/// Messages of an exported channel, by id.
struct FeedMessages {
    private var lines: [String: Substring] = [:]

    init(channel: String) throws {
        for line in try sharedLines("discord_komodo_feeds.jsonl") {
            let json = try JSONDocument(String(line)).root
            guard json["channel"]?.string == channel, let id = json["id"]?.string else { continue }
            lines[id] = line
        }
    }

    /// The message as Discord would have sent it: the export keeps of an author and a footer only their text.
    func message(_ id: String) throws -> Message? {
        guard let line = lines[id] else { return nil }
        let json = try JSONDocument(String(line)).root
        var writer = JSONWriter()
        writer.object { writer in
            for (key, value) in [
                ("id", id), ("channel_id", "13"), ("timestamp", "2026-03-01T12:00:00Z"),
                ("content", json["content"]?.string ?? ""),
            ] {
                writer.key(key)
                writer.value(value)
            }
            writer.key("type")
            writer.value(0)
            writer.key("embeds")
            writer.array { writer in
                for embed in json["embeds"]?.elements.map({ $0 }) ?? [] { Self.write(embed, to: &writer) }
            }
        }
        return try Message(JSONDocument(writer.bytes).root)
    }

    private static func write(_ embed: JSONView, to writer: inout JSONWriter) {
        writer.object { writer in
            if let title = embed["title"]?.string { writer.key("title"); writer.value(title) }
            if let text = embed["description"]?.string { writer.key("description"); writer.value(text) }
            if let author = embed["author"]?.string {
                writer.key("author")
                writer.object {
                    $0.key("name"); $0.value(author)
                }
            }
            if let footer = embed["footer"]?.string {
                writer.key("footer")
                writer.object {
                    $0.key("text"); $0.value(footer)
                }
            }
            guard let fields = embed["fields"] else { return }
            writer.key("fields")
            writer.array { writer in
                for field in fields.elements.map({ $0 }) {
                    writer.object {
                        $0.key("name"); $0.value(field["name"]?.string ?? "")
                        $0.key("value"); $0.value(field["value"]?.string ?? "")
                    }
                }
            }
        }
    }

    /// A label: the values under their names, a title as its hash alone.
    static func summary(_ label: JSONView) -> [String: String] {
        var summary: [String: String] = [:]
        for name in names {
            guard let value = label.member(name) else { continue }
            summary[name] = value.string ?? value.numberLiteral
            if numbers.contains(name) { summary[name] = summary[name].flatMap { ExactDecimal($0)?.description } }
        }
        return summary
    }

    static func summary(_ record: Record) -> [String: String] {
        var summary = ["type": record.type]
        for field in record.fields {
            if field.name == "title" {
                summary["title_hash"] = ContentHash.of(field.value.shown)
            } else {
                summary[field.name] = field.value.shown
            }
        }
        return summary
    }

    private static let numbers = [
        "number", "commits", "confirmed", "unconfirmed", "pending", "amount", "each", "recipients",
    ]
    private static let names =
        numbers + [
            "type", "kind", "repository", "actor", "branch", "title_hash", "node", "last_seen", "account", "coin",
            "address", "sender", "recipient",
        ]
}

func sharedLines(_ name: String) throws -> [Substring] {
    let folder = try #require(Project.sharedData)
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n")
}

/// The lines of a file in this target's `Fixtures`.
func fixtureLines(_ name: String) throws -> [Substring] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8).split(separator: "\n")
}
