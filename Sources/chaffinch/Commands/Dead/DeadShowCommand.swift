import ArgumentParser
import Foundation
import Model
import PipelineFile
import Storage
import Workers

struct DeadShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows one dead letter: the error, the attempts, the payload.",
        discussion: """
            Examples:
              chaffinch dead show parse/1315807571357208688
              chaffinch dead show parse/1315807571357208688 --payload | jq .      only the payload, byte for byte

            Exits 1 when there is no such letter.
            """
    )

    @OptionGroup var options: ConfigOption

    @Argument(help: "The letter, as 'list' shows it.")
    var id: String

    @Flag(help: "Print only the payload, as it was on the wire.")
    var payload = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let id = id
        let found = try Site(options, needing: [.storeURL]).withStore(for: "dead") { store in
            try await store.deadLetter(id)
        }
        guard let entry = found else {
            throw CommandFailure(ExitCode.failed, "there is no dead letter '\(id)'; 'chaffinch dead list' shows them")
        }
        if payload {
            Terminal.output(entry.letter.payload)
        } else if json {
            Terminal.output(entry.json)
        } else {
            show(entry)
        }
    }

    private func show(_ entry: DeadLetterEntry) {
        let letter = entry.letter
        var lines = [
            ("id", letter.id),
            (
                "state",
                [letter.state, entry.settledAt?.toTheSecond ?? ""].filter { !$0.isEmpty }.joined(separator: "  ")
            ),
        ]
        if let replay = entry.replayedBy { lines.append(("replay", replay)) }
        if let reason = entry.reason { lines.append(("reason", reason)) }
        lines += [
            ("stage", letter.stage), ("messages", letter.messageIDs.map(\.description).joined(separator: ", ")),
            ("error", "\(letter.errorClass): \(letter.errorText)"),
        ]
        if let code = letter.errorCode { lines.append(("code", code)) }
        lines += [
            ("attempts", letter.attempts.description),
            ("first", letter.firstAt.toTheSecond), ("last", letter.lastAt.toTheSecond),
            ("died in", letter.worker),
            ("version", "\(letter.version)\(letter.generation.map { ", rule generation \($0)" } ?? "")"),
            ("group", letter.fingerprint),
        ]
        if let replay = letter.replay { lines.append(("died after", "replay \(replay)")) }
        for (name, value) in lines {
            Terminal.output(
                Terminal.styled(name + String(repeating: " ", count: 12 - name.count), .dim) + Terminal.plain(value)
            )
        }
        Terminal.output(Terminal.styled("payload     \(counted(letter.payload.count, "byte"))", .dim))
        Terminal.output(String(decoding: letter.payload, as: UTF8.self))
    }
}

extension Timestamp {
    /// `2026-11-22 10:00:00Z`
    var toTheSecond: String {
        let seconds = microseconds / 1_000_000
        return Timestamp(microseconds: seconds * 1_000_000).iso8601.replacing("T", with: " ", maxReplacements: 1)
    }
}

extension DeadLetterSummary {
    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.pairs([
                ("id", id), ("state", state), ("stage", stage), ("error_class", errorClass), ("error_text", errorText),
                ("last_at", lastAt.iso8601), ("group", fingerprint),
            ])
            writer.key("attempts")
            writer.value(attempts)
            writer.ids("message_ids", messageIDs)
        }
        return writer.text
    }
}

extension DeadLetterGroup {
    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.pairs([
                ("group", fingerprint), ("stage", stage), ("error_class", errorClass), ("error_text", errorText),
                ("first_at", firstAt.iso8601), ("last_at", lastAt.iso8601), ("example", exampleID),
            ])
            writer.key("count")
            writer.value(count)
        }
        return writer.text
    }
}

extension DeadLetterEntry {
    /// The payload stands as JSON where it is JSON, otherwise as a string.
    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.pairs([
                ("id", letter.id), ("state", letter.state), ("stage", letter.stage), ("error_class", letter.errorClass),
                ("error_code", letter.errorCode), ("error_text", letter.errorText),
                ("first_at", letter.firstAt.iso8601), ("last_at", letter.lastAt.iso8601), ("worker", letter.worker),
                ("version", letter.version), ("group", letter.fingerprint), ("replayed_by", replayedBy),
                ("settled_at", settledAt?.iso8601), ("reason", reason), ("died_after", letter.replay),
            ])
            writer.key("attempts")
            writer.value(letter.attempts)
            writer.key("attempt_times")
            writer.array { writer in
                for time in letter.attemptTimes { writer.value(time.iso8601) }
            }
            if let generation = letter.generation {
                writer.key("generation")
                writer.value(generation)
            }
            writer.ids("message_ids", letter.messageIDs)
            writer.key("payload")
            if let document = try? JSONDocument(letter.payload) {
                writer.raw(document.root.raw)
            } else {
                writer.value(String(decoding: letter.payload, as: UTF8.self))
            }
        }
        return writer.text
    }
}

extension JSONWriter {
    /// Members that are texts; absent ones are left out.
    mutating func pairs(_ pairs: [(String, String?)]) {
        for (name, text) in pairs {
            guard let text else { continue }
            key(name)
            value(text)
        }
    }

    mutating func numbers(_ pairs: [(String, Int)]) {
        for (name, number) in pairs {
            key(name)
            value(number)
        }
    }

    mutating func ids(_ name: String, _ ids: [Snowflake]) {
        key(name)
        array { writer in
            for id in ids { writer.value(id.description) }
        }
    }
}
