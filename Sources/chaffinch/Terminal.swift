import Glibc
import Rules

/// Where people read: colours only on a terminal, and never where `NO_COLOR` is set.
enum Terminal {
    static let errorHasColour = isatty(STDERR_FILENO) == 1 && getenv("NO_COLOR") == nil
    static let outputHasColour = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil

    static let errorIsTerminal = isatty(STDERR_FILENO) == 1

    /// Columns of the terminal that standard output is; `nil` where it is none.
    static var outputWidth: Int? { size().map(\.columns) }

    static func size() -> (columns: Int, rows: Int)? {
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        // A terminal that knows no size, as some are over serial lines, is as good as the classic one.
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// A line, or lines, for standard error; nothing where there is nothing to say.
    static func error(_ text: String) {
        guard !text.isEmpty else { return }
        write(text.hasSuffix("\n") ? text : text + "\n", to: STDERR_FILENO)
    }

    static func output(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { write($0, to: STDOUT_FILENO) }
    }

    static func output(_ text: String) {
        write(text.hasSuffix("\n") ? text : text + "\n", to: STDOUT_FILENO)
    }

    /// To standard error, as it is.
    static func raw(_ text: String) { write(text, to: STDERR_FILENO) }

    /// What was expected and is missing in green, what came instead in red, the rest dimmed.
    static func show(difference expected: [String], _ got: [String], indent: String) {
        for line in LineDiff.lines(expected, got) {
            let style: Style = line.hasPrefix("-") ? .green : line.hasPrefix("+") ? .red : .dim
            output(indent + styled(plain(line), style))
        }
    }

    /// Without control characters: what a message says must not steer the terminal.
    static func plain(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 })
        )
    }

    enum Style: String, Sendable { case green = "32", red = "31", yellow = "33", dim = "2", bold = "1" }

    static func styled(_ text: String, _ style: Style) -> String {
        outputHasColour ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0), to: descriptor) }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
