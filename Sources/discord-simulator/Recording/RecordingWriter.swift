import ArgumentParser
import Foundation
import Model

/// Writes a recording to a file and keeps count of what it holds.
struct RecordingWriter {
    struct Channel {
        var id: UInt64
        var name: String
        var messages = 0
        var ingestible = 0
        var signals = 0
    }

    /// The server that all our recordings play in.
    static let guildID: UInt64 = 1_308_600_000_000_000_100

    private let path: String
    private let file: FileHandle
    private var buffer: [UInt8] = []
    private(set) var channels: [Channel] = []
    private var usedIDs: Set<UInt64> = []

    /// - Throws: `ValidationError` when the file cannot be made.
    init(path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw ValidationError("\(path) cannot be written") }
        self.path = path
        self.file = file
    }

    /// Writes a channel's line; its messages follow at any time.
    mutating func add(channel id: UInt64, name: String) throws {
        channels.append(Channel(id: id, name: name))
        var writer = JSONWriter()
        writer.value(name)
        try write(
            Array(
                """
                {"channel":{"id":"\(id)","type":0,"guild_id":"\(Self.guildID)","name":\(writer.text),\
                "position":\(channels.count - 1)}}
                """.utf8
            )
        )
    }

    /// - Parameter isSignal: whether its author meant a trading signal; only counted.
    mutating func add(_ message: RecordedMessage, isSignal: Bool = false) throws {
        if let place = channels.firstIndex(where: { $0.id == message.channelID }) {
            channels[place].messages += 1
            if message.isIngestible { channels[place].ingestible += 1 }
            if isSignal { channels[place].signals += 1 }
        }
        try write(message.line())
    }

    /// An id made at an instant, which no message of the recording has yet.
    mutating func freshID(at instant: Timestamp) -> UInt64 {
        var id = UInt64(max(1, instant.microseconds / 1000 - Snowflake.epochMilliseconds)) << 22
        while !usedIDs.insert(id).inserted { id += 1 }
        return id
    }

    /// Writes what is left, and prints what the recording holds.
    mutating func finish() throws {
        try flush()
        try file.close()
        print("\(path):")
        for channel in channels {
            print("  " + Self.summary(channel, name: "#\(channel.name) (\(channel.id))"))
        }
        var total = Channel(id: 0, name: "")
        for channel in channels {
            total.messages += channel.messages
            total.ingestible += channel.ingestible
            total.signals += channel.signals
        }
        print("  " + Self.summary(total, name: "in all"))
    }

    private static func summary(_ channel: Channel, name: String) -> String {
        let signals = channel.signals > 0 ? ", \(channel.signals) of them signals" : ""
        return "\(name): \(channel.messages) messages, \(channel.ingestible) ingestible\(signals)"
    }

    private mutating func write(_ line: [UInt8]) throws {
        buffer.append(contentsOf: line)
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count > 1 << 20 { try flush() }
    }

    private mutating func flush() throws {
        try file.write(contentsOf: Data(buffer))
        buffer.removeAll(keepingCapacity: true)
    }
}
