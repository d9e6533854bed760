import Glibc

/// Where people read: colours only on a terminal, and never where `NO_COLOR` is set.
enum Terminal {
    static let errorHasColour = isatty(STDERR_FILENO) == 1 && getenv("NO_COLOR") == nil
    static let outputHasColour = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil

    static func error(_ text: String) {
        write(text.hasSuffix("\n") ? text : text + "\n", to: STDERR_FILENO)
    }

    static func output(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { write($0, to: STDOUT_FILENO) }
    }

    static func output(_ text: String) {
        write(text.hasSuffix("\n") ? text : text + "\n", to: STDOUT_FILENO)
    }

    enum Style: String { case green = "32", red = "31", yellow = "33", dim = "2", bold = "1" }

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
