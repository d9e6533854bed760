import ArgumentParser
import Foundation
import Model

/// `discord-simulator record option-alerts`.
struct RecordOptionAlerts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "option-alerts",
        abstract: "Makes a recording of exported option alerts.",
        discussion: "An export is JSON lines with channel, author, is_bot, created_at and content."
    )

    @Option(help: "The export.")
    var from: String

    @Option(help: "The file to write.")
    var output: String

    func run() async throws {
        guard let text = FileManager.default.contents(atPath: from) else {
            throw ValidationError("\(from) cannot be read")
        }
        var writer = try RecordingWriter(path: output)
        var channels: [String: UInt64] = [:]
        var authors: [String: UInt64] = [:]
        for (place, line) in text.split(separator: UInt8(ascii: "\n")).enumerated() {
            let json = try JSONDocument(Array(line)).root
            guard let channel = json["channel"]?.string, let author = json["author"]?.string,
                let content = json["content"]?.string,
                let sentAt = json["created_at"]?.string.flatMap({ Timestamp(iso8601: $0) })
            else { throw ValidationError("\(from):\(place + 1): channel, author, content or created_at is missing") }
            if channels[channel] == nil {
                channels[channel] = 1_308_600_000_000_002_000 + UInt64(channels.count)
                try writer.add(channel: channels[channel]!, name: channel)
            }
            if authors[author] == nil { authors[author] = 208_600_000_000_001_000 + UInt64(authors.count) }
            try writer.add(
                RecordedMessage(
                    id: writer.freshID(at: sentAt),
                    channelID: channels[channel]!,
                    guildID: RecordingWriter.guildID,
                    author: RecordedMessage.Author(
                        id: authors[author]!,
                        name: author,
                        isBot: json["is_bot"]?.boolean ?? false
                    ),
                    content: content,
                    sentAt: sentAt
                )
            )
        }
        try writer.finish()
    }
}
