internal import Glibc
internal import Model

/// Who wrote a line.
struct LogSource: Sendable {
    var worker: String
    /// `nil` for the supervisor itself.
    var replica: Int?
    var pid: Int32
    /// `stdout` or `stderr`.
    var stream: String
}

/// Turns what children print, and the supervisor's own lines, into lines of the log.
struct LogFormatter: Sendable {
    let text: Bool
    let colour: Bool

    init(text: Bool, colour: Bool) {
        self.text = text
        self.colour = colour
    }

    /// Whether the descriptor is a terminal decides what the settings leave open.
    init(_ settings: LogSettings) {
        let terminal = isatty(settings.descriptor) == 1
        let plain = getenv("NO_COLOR") != nil
        text = settings.format == .text || (settings.format == .auto && terminal)
        colour = settings.colour ?? (terminal && !plain)
    }

    /// A child's line. One that is a JSON object passes with `worker`, `replica` and `pid` put before its own members;
    /// anything else becomes a message.
    func format(_ line: [UInt8], from source: LogSource, at time: Timestamp) -> [UInt8] {
        let object = Self.object(line)
        if text { return textLine(line, object, source, time) }
        guard let object else { return Self.wrapped(line, source, time) }
        return Self.marked(object.root, source, time)
    }

    /// A line of the supervisor's own.
    func format(_ line: TreeLogLine, pid: Int32, at time: Timestamp) -> [UInt8] {
        if text {
            var fields = line.fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value.text) }
            if let replica = line.replica { fields.insert(("child", replica.description), at: 0) }
            return textLine(time, line.level.rawValue, "supervisor", line.message, fields)
        }
        var writer = JSONWriter()
        writer.object { writer in
            Self.head(&writer, time, line.level.rawValue, line.message)
            writer.member("worker", "supervisor")
            if let replica = line.replica { writer.member("child", replica.description) }
            for (name, value) in line.fields.sorted(by: { $0.key < $1.key }) {
                writer.key(name)
                switch value {
                case .text(let text): writer.value(text)
                case .integer(let integer): writer.value(integer)
                }
            }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// What the status shows of a child's line: its message where it has one.
    static func excerpt(_ line: [UInt8]) -> String {
        let message = object(line)?.root["message"]?.string
        return String((message ?? printable(line)).prefix(500))
    }

    private static func object(_ line: [UInt8]) -> JSONDocument? {
        guard line.first(where: { $0 != UInt8(ascii: " ") }) == UInt8(ascii: "{"),
            let document = try? JSONDocument(line), document.root.kind == .object
        else { return nil }
        return document
    }

    private static func head(_ writer: inout JSONWriter, _ time: Timestamp, _ level: String, _ message: String) {
        writer.member("time", time.iso8601)
        writer.member("level", level)
        writer.member("message", message)
    }

    private static func wrapped(_ line: [UInt8], _ source: LogSource, _ time: Timestamp) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            head(&writer, time, "info", String(decoding: line, as: UTF8.self))
            mark(&writer, source)
            writer.member("stream", source.stream)
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func marked(_ object: JSONView, _ source: LogSource, _ time: Timestamp) -> [UInt8] {
        var writer = JSONWriter(reserving: object.raw.count + 100)
        writer.object { writer in
            mark(&writer, source)
            if object["time"] == nil { writer.member("time", time.iso8601) }
            if object["level"] == nil { writer.member("level", "info") }
        }
        let members = object.raw.dropFirst()
        let isEmpty = members.first { !Self.whitespace.contains($0) } == UInt8(ascii: "}")
        return writer.bytes.dropLast() + (isEmpty ? [] : [UInt8(ascii: ",")]) + members + [UInt8(ascii: "\n")]
    }

    private static let whitespace: Set<UInt8> = [0x20, 0x09, 0x0a, 0x0d]

    private static func mark(_ writer: inout JSONWriter, _ source: LogSource) {
        writer.member("worker", source.worker)
        if let replica = source.replica {
            writer.key("replica")
            writer.value(replica)
        }
        writer.key("pid")
        writer.value(source.pid)
    }
}

/// Lines for people: aligned, one each.
extension LogFormatter {
    private func textLine(
        _ line: [UInt8],
        _ object: JSONDocument?,
        _ source: LogSource,
        _ time: Timestamp
    ) -> [UInt8] {
        let name = source.replica.map { "\(source.worker)/\($0)" } ?? source.worker
        guard let root = object?.root, let message = root["message"]?.string else {
            return textLine(time, "info", name, Self.printable(line), [])
        }
        let shown: Set<String> = ["time", "level", "message"]
        let fields = root.members.filter { !shown.contains($0.key) }.map { member in
            (member.key, member.value.string ?? String(decoding: member.value.raw, as: UTF8.self))
        }
        let own = root["time"]?.string.flatMap { Timestamp(iso8601: $0) }
        return textLine(own ?? time, root["level"]?.string ?? "info", name, message, fields)
    }

    private func textLine(
        _ time: Timestamp,
        _ level: String,
        _ name: String,
        _ message: String,
        _ fields: [(String, String)]
    ) -> [UInt8] {
        var line = paint(Self.clock(time), .dim) + " "
        line += paint(Self.padded(level.uppercased(), 7), Self.colour(of: level)) + " "
        line += paint(Self.padded(name, 14), .bold) + " "
        line += Self.printable(Array(message.utf8))
        for (name, value) in fields {
            let value = Self.printable(Array(value.utf8))
            line += "  " + paint(name + "=", .dim) + (value.contains(" ") ? "\"\(value)\"" : value)
        }
        return Array((line + "\n").utf8)
    }

    private enum Paint: String { case dim = "2", bold = "1", red = "31", yellow = "33", green = "32", grey = "90" }

    private func paint(_ text: String, _ paint: Paint) -> String {
        colour ? "\u{1b}[\(paint.rawValue)m\(text)\u{1b}[0m" : text
    }

    private static func colour(of level: String) -> Paint {
        switch level {
        case "error", "critical": .red
        case "warning": .yellow
        case "debug", "trace": .grey
        default: .green
        }
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// `12:34:56.789`, UTC like every time in Chaffinch.
    private static func clock(_ time: Timestamp) -> String {
        let milliseconds = Timestamp(microseconds: time.microseconds / 1000 * 1000)
        let clock = milliseconds.iso8601.dropFirst(11).dropLast()
        return clock.contains(".") ? String(clock.prefix(12)) : clock + ".000"
    }

    /// Text without control characters, which could take over a terminal.
    static func printable(_ line: [UInt8]) -> String {
        String(decoding: line.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    }
}

extension JSONWriter {
    mutating func member(_ name: String, _ text: String) {
        key(name)
        value(text)
    }
}

extension LogField {
    fileprivate var text: String {
        switch self {
        case .text(let text): text
        case .integer(let integer): String(integer)
        }
    }
}
