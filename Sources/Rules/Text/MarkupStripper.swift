/// Takes Discord's markup out of a text: emphasis, code, headings, quotes, spoilers, links with a label, and the
/// emoji a server adds (`<:name:id>`).
///
/// Source: Discord reference, "Message Formatting", and Discord's help page on markdown. Where a sign stands alone, as
/// in `2*3` or `snake_case`, it is text and stays.
struct MarkupStripper {
    /// The ASCII characters without which there is nothing to do.
    static let isMarkup: [Bool] = {
        var table = [Bool](repeating: false, count: 256)
        for byte in "*_~|`\\#>[<".utf8 { table[Int(byte)] = true }
        return table
    }()

    private let input: NormalizedText
    private let bytes: [UInt8]
    private let markdown: Bool
    private let emoji: Bool
    /// For every byte what becomes of it.
    private var fates: [Fate]

    private enum Fate { case stays, goes, becomesSpace }

    init(_ input: NormalizedText, markdown: Bool, emoji: Bool) {
        self.input = input
        bytes = input.bytes
        self.markdown = markdown
        self.emoji = emoji
        fates = Array(repeating: .stays, count: bytes.count)
    }

    consuming func stripped() -> NormalizedText {
        var openMarks: [OpenMark] = []
        var position = 0
        while position < bytes.count {
            position = step(at: position, &openMarks)
        }
        return applied()
    }

    /// How far back an opening mark is looked for: nobody nests deeper, and a text of nothing but marks stays cheap.
    private static let mostOpenMarks = 128

    /// A delimiter that may turn out to open something.
    private struct OpenMark {
        var sign: UInt8
        var length: Int
        var position: Int
    }

    private mutating func step(at position: Int, _ openMarks: inout [OpenMark]) -> Int {
        let byte = bytes[position]
        if emoji, byte == UInt8(ascii: "<"), let end = customEmojiEnd(from: position) {
            mark(position..<end, .goes)
            fates[position] = .becomesSpace
            return end
        }
        guard markdown else { return position + 1 }
        if isLineStart(position), let end = linePrefixEnd(from: position) {
            mark(position..<end, .goes)
            return end
        }
        switch byte {
        case UInt8(ascii: "\\") where position + 1 < bytes.count && bytes[position + 1].isASCIIPunctuation:
            fates[position] = .goes
            return position + 2
        case UInt8(ascii: "`"): return code(at: position)
        case UInt8(ascii: "["): return link(at: position)
        case UInt8(ascii: "<"): return angle(at: position)
        case UInt8(ascii: "*"), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "|"):
            return emphasis(at: position, &openMarks)
        default: return position + 1
        }
    }

    // MARK: Emphasis

    /// Up to three `*` or `_`, two `~` or `|`. A run closes the nearest open run of the same sign and length.
    private mutating func emphasis(at position: Int, _ openMarks: inout [OpenMark]) -> Int {
        let sign = bytes[position]
        var end = position
        while end < bytes.count && bytes[end] == sign { end += 1 }
        let length = end - position
        let isPaired = sign == UInt8(ascii: "~") || sign == UInt8(ascii: "|")
        guard isPaired ? length == 2 : length <= 3 else { return end }
        let before = position > 0 ? bytes[position - 1] : 0x20
        let after = end < bytes.count ? bytes[end] : 0x20
        let isUnderscore = sign == UInt8(ascii: "_")
        let mayClose = isPaired || !before.isASCIISpace && !(isUnderscore && after.isASCIIWord)
        let mayOpen = isPaired || !after.isASCIISpace && !(isUnderscore && before.isASCIIWord)
        if mayClose,
            let index = openMarks.suffix(Self.mostOpenMarks).lastIndex(where: { $0.sign == sign && $0.length == length }
            ),
            openMarks[index].position + length < position
        {
            let opening = openMarks[index].position
            mark(opening..<(opening + length), .goes)
            mark(position..<end, .goes)
            if sign == UInt8(ascii: "~") {
                mark(opening..<end, .goes)
                fates[opening] = .becomesSpace
            }
            openMarks.removeSubrange(index...)
        } else if mayOpen {
            openMarks.append(OpenMark(sign: sign, length: length, position: position))
        }
        return end
    }

    // MARK: Code

    private mutating func code(at position: Int) -> Int {
        var end = position
        while end < bytes.count && bytes[end] == UInt8(ascii: "`") { end += 1 }
        let length = end - position
        guard let closing = closingTicks(from: end, length: length) else { return end }
        mark(position..<end, .goes)
        mark(closing..<(closing + length), .goes)
        if length >= 3 { markLanguage(from: end, to: closing) }
        return closing + length
    }

    private func closingTicks(from start: Int, length: Int) -> Int? {
        var position = start
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "`") else {
                position += 1
                continue
            }
            var end = position
            while end < bytes.count && bytes[end] == UInt8(ascii: "`") { end += 1 }
            if end - position == length { return position }
            position = end
        }
        return nil
    }

    /// The word after three ticks names a language when nothing else stands on that line.
    private mutating func markLanguage(from start: Int, to closing: Int) {
        var end = start
        while end < closing && (bytes[end].isASCIIWord || "+-#.".utf8.contains(bytes[end])) { end += 1 }
        if end < closing, bytes[end] == 0x0A { mark(start..<end, .goes) }
    }

    // MARK: Links, mentions, prefixes

    /// `[label](address)`: the label stays. What is in the label is read on as text.
    private mutating func link(at position: Int) -> Int {
        guard let close = bytes[position...].prefix(512).firstIndex(of: UInt8(ascii: "]")),
            close + 1 < bytes.count, bytes[close + 1] == UInt8(ascii: "("),
            let end = bytes[close...].prefix(2048).firstIndex(of: UInt8(ascii: ")")),
            bytes[(close + 2)..<end].starts(with: "http".utf8) || bytes[(close + 2)..<end].starts(with: "<http".utf8)
        else { return position + 1 }
        fates[position] = .goes
        mark(close..<(end + 1), .goes)
        return position + 1
    }

    /// Mentions, timestamps and addresses in angle brackets are taken over whole: their signs are no markdown.
    private func angle(at position: Int) -> Int {
        guard let end = bytes[position...].prefix(2048).firstIndex(where: { $0 == UInt8(ascii: ">") || $0 == 0x0A }),
            bytes[end] == UInt8(ascii: ">")
        else { return position + 1 }
        return end + 1
    }

    /// Past `<:name:id>` or `<a:name:id>`.
    private func customEmojiEnd(from start: Int) -> Int? {
        var position = start + 1
        if position < bytes.count && bytes[position] == UInt8(ascii: "a") { position += 1 }
        guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { return nil }
        position += 1
        let name = position
        while position < bytes.count && bytes[position].isASCIIWord { position += 1 }
        guard position > name, position < bytes.count, bytes[position] == UInt8(ascii: ":") else { return nil }
        position += 1
        let id = position
        while position < bytes.count && bytes[position].isASCIIDigit { position += 1 }
        guard position > id, position < bytes.count, bytes[position] == UInt8(ascii: ">") else { return nil }
        return position + 1
    }

    private func isLineStart(_ position: Int) -> Bool { position == 0 || bytes[position - 1] == 0x0A }

    /// Past a heading's, a subtext's or a quote's sign and the space after it.
    private func linePrefixEnd(from start: Int) -> Int? {
        for prefix in Self.linePrefixes where bytes[start...].starts(with: prefix) { return start + prefix.count }
        return nil
    }

    private static let linePrefixes = ["# ", "## ", "### ", "-# ", "> ", ">>> "].map { Array($0.utf8) }

    // MARK: The result

    private mutating func mark(_ range: Range<Int>, _ fate: Fate) {
        for index in range { fates[index] = fate }
    }

    /// Leaves out what goes. Two digits that would meet over it are kept apart by a space: `45**10` is not 4510.
    private func applied() -> NormalizedText {
        guard fates.contains(where: { $0 != .stays }) else { return input }
        var output: [UInt8] = []
        var origins: [Int32] = []
        output.reserveCapacity(bytes.count)
        origins.reserveCapacity(bytes.count + 1)
        var hasGap = false
        for (index, fate) in fates.enumerated() {
            switch fate {
            case .goes: hasGap = true
            case .becomesSpace:
                output.append(0x20)
                origins.append(Int32(input.origin(of: index)))
                hasGap = false
            case .stays:
                if hasGap, bytes[index].isASCIIDigit, output.last?.isASCIIDigit == true {
                    output.append(0x20)
                    origins.append(Int32(input.origin(of: index)))
                }
                output.append(bytes[index])
                origins.append(Int32(input.origin(of: index)))
                hasGap = false
            }
        }
        origins.append(Int32(input.origin(of: bytes.count)))
        return NormalizedText(bytes: output, origins: origins)
    }
}
