/// Cuts a file of messages into its elements, chunk by chunk, so that no file is too large to be read.
///
/// Two kinds of file are known: lines of JSON, one message each, and an export of DiscordChatExporter, one JSON object
/// with a `messages` array. Which one it is shows in the first key.
struct ElementScanner {
    /// A message as it stands in the file.
    struct Element: Equatable {
        var bytes: [UInt8]
        /// From 1: where it begins.
        var line: Int
        /// The first byte after it.
        var end: Int
        /// What is wrong with it as a piece of the file.
        var problem: String?
    }

    enum Format: Equatable { case lines, export }

    /// A longer element is no message of Discord's: those have at most a megabyte.
    static let longestElement = 8 << 20

    let format: Format
    /// Of an export: its beginning, up to and including the `[` of `messages`.
    private(set) var preamble: [UInt8] = []

    private var elements: [Element] = []
    private var current: [UInt8] = []
    private var start = 1
    private var line = 1
    private var offset = 0
    private var isOverlong = false

    // Of an export.
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var text: [UInt8] = []
    private var phase = Phase.preamble

    private enum Phase { case preamble, between, element, after }

    init(format: Format) {
        self.format = format
    }

    /// - Parameter beginning: the first bytes of the file, a few hundred at least where there are as many.
    /// - Returns: `nil` when it is neither kind.
    static func format(of beginning: some Collection<UInt8>) -> Format? {
        let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
        var rest = beginning.dropFirst(beginning.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0).drop(while: isSpace)
        guard rest.popFirstByte() == UInt8(ascii: "{") else { return nil }
        rest = rest.drop(while: isSpace)
        return rest.starts(with: "\"guild\"".utf8) ? .export : .lines
    }

    /// Takes the next bytes, and returns the elements that end in them.
    mutating func take(_ bytes: some Sequence<UInt8>) -> [Element] {
        for byte in bytes {
            offset += 1
            if format == .lines { takeOfLines(byte) } else { takeOfExport(byte) }
            if byte == UInt8(ascii: "\n") { line += 1 }
        }
        defer { elements = [] }
        return elements
    }

    /// What the end of the file leaves: a last line without a newline, or an element that was cut off.
    mutating func finish() -> [Element] {
        if format == .lines {
            if !current.isEmpty || isOverlong { endElement() }
        } else if phase != .after {
            if phase != .element { start = line }
            endElement(problem: "the file ends here, in the middle of the export")
        }
        defer { elements = [] }
        return elements
    }

    private mutating func takeOfLines(_ byte: UInt8) {
        guard byte != UInt8(ascii: "\n") else { return endElement() }
        if current.isEmpty && !isOverlong { start = line }
        append(byte)
    }

    private mutating func takeOfExport(_ byte: UInt8) {
        switch phase {
        case .preamble: preamble.append(byte)
        case .element: append(byte)
        case .between, .after: break
        }
        if isInString { return takeOfString(byte) }
        switch byte {
        case UInt8(ascii: "\""):
            isInString = true
            text = []
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            if phase == .preamble, depth == 2, byte == UInt8(ascii: "["), text == Array("messages".utf8) {
                phase = .between
            } else if phase == .between, depth == 3 {
                phase = .element
                start = line
                append(byte)
            }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            if phase == .element, depth == 2 {
                endElement()
                phase = .between
            } else if phase == .between, depth == 1 {
                phase = .after
            }
        default: break
        }
    }

    private mutating func takeOfString(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            isInString = false
        } else if phase == .preamble, depth == 1, text.count < 16 {
            text.append(byte)
        }
    }

    private mutating func append(_ byte: UInt8) {
        if current.count < Self.longestElement {
            current.append(byte)
        } else {
            isOverlong = true
        }
    }

    private mutating func endElement(problem: String? = nil) {
        let tooLong = isOverlong ? "longer than 8 MiB, so it is no message" : nil
        elements.append(Element(bytes: current, line: start, end: offset, problem: problem ?? tooLong))
        current.removeAll(keepingCapacity: true)
        isOverlong = false
    }
}

extension Collection where SubSequence == Self {
    fileprivate mutating func popFirstByte() -> Element? { popFirst() }
}
