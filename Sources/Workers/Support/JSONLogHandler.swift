import Glibc
package import Logging
package import Model

/// Writes log lines as JSON objects to standard error, which is what the supervisor expects of its children.
package struct JSONLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]

    package init(level: Logger.Level) {
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var writer = JSONWriter(reserving: 256)
        writer.object { writer in
            writer.key("time")
            writer.value(Timestamp.now.iso8601)
            writer.key("level")
            writer.value(event.level.rawValue)
            writer.key("message")
            writer.value(event.message.description)
            let merged = metadata.merging(event.metadata ?? [:]) { _, new in new }
            for (key, value) in merged.sorted(by: { $0.key < $1.key }) {
                writer.key(key)
                Self.write(value, to: &writer)
            }
        }
        // One write a line, so that lines of several threads do not mix.
        let line = writer.bytes + [UInt8(ascii: "\n")]
        _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func write(_ value: Logger.MetadataValue, to writer: inout JSONWriter) {
        switch value {
        case .string(let text): writer.value(text)
        case .stringConvertible(let number as any FixedWidthInteger): writer.raw("\(number)".utf8)
        case .stringConvertible(let value): writer.value(value.description)
        case .array(let values): writer.array { for value in values { write(value, to: &$0) } }
        case .dictionary(let values):
            writer.object { writer in
                for (key, value) in values.sorted(by: { $0.key < $1.key }) {
                    writer.key(key)
                    write(value, to: &writer)
                }
            }
        }
    }
}

extension Timestamp {
    /// The wall clock, for log lines and columns; never for measuring.
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
