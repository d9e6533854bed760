import Model

/// The line that a plugin reads for one message: the Discord object as received, on one line, with one more member,
/// `chaffinch`, that says what is known of it so far.
struct PluginQuestion {
    let pipeline: String
    /// The channel's name in `pipeline.yaml`, by its id.
    let channels: [Snowflake: String]

    /// - Parameter attempt: from 1; higher when an earlier try failed.
    func line(_ parsed: ParsedMessage, attempt: Int) -> [UInt8] {
        var writer = JSONWriter(reserving: parsed.message.payload.count + 512)
        writer.object { writer in
            writer.key("pipeline")
            writer.value(pipeline)
            if let channel = channels[parsed.message.channelID] {
                writer.key("channel")
                writer.value(channel)
            }
            writer.key("text")
            writer.value(parsed.message.text)
            writer.key("outcome")
            writer.value(parsed.outcome.rawValue)
            if let reason = parsed.reason {
                writer.key("reason")
                writer.value(reason)
            }
            writer.key("attempt")
            writer.value(attempt)
        }
        var line: [UInt8] = []
        line.reserveCapacity(parsed.message.payload.count + writer.bytes.count + 32)
        // Inside a JSON string a line's end is always escaped, so those that are left stand between tokens.
        for byte in parsed.message.payload {
            line.append(byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") ? UInt8(ascii: " ") : byte)
        }
        while let last = line.popLast(), last != UInt8(ascii: "}") {}
        line.append(contentsOf: #","chaffinch":"#.utf8)
        line.append(contentsOf: writer.bytes)
        line.append(contentsOf: "}\n".utf8)
        return line
    }
}
