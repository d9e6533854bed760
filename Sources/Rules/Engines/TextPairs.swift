/// A line of the form `key: value` or `key = value`.
struct TextPair: Equatable {
    /// As ``KeyNames/canonical(_:)`` makes it.
    var key: String
    /// Where the value stands in the text; empty when nothing follows the sign.
    var value: Range<Int>
    var line: Range<Int>

    private static let longestKey = 64

    /// The pairs of `text` in order. The first `:` or `=` of a line parts key and value; `:=` and `=>` count as one sign.
    /// Lines without one are no pairs.
    static func read(_ text: UnsafeBufferPointer<UInt8>) -> [TextPair] {
        var pairs: [TextPair] = []
        var start = 0
        while start < text.count {
            let end = text[start...].firstIndex(of: 0x0A) ?? text.count
            if let pair = pair(text, start..<end) { pairs.append(pair) }
            start = end + 1
        }
        return pairs
    }

    private static func pair(_ text: UnsafeBufferPointer<UInt8>, _ line: Range<Int>) -> TextPair? {
        guard let sign = text[line].firstIndex(where: isSign), sign - line.lowerBound <= 2 * longestKey else {
            return nil
        }
        let key = KeyNames.canonical(String(decoding: text[line.lowerBound..<sign], as: UTF8.self))
        guard !key.isEmpty, key.utf8.count <= longestKey else { return nil }
        var start = sign + 1
        if start < line.upperBound, isSign(text[start]) || text[start] == UInt8(ascii: ">") { start += 1 }
        let value = text[start..<line.upperBound].trimmed
        return TextPair(key: key, value: value.startIndex..<value.endIndex, line: line)
    }

    private static func isSign(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ":") || byte == UInt8(ascii: "=") }
}

/// The names by which a rule calls a key: several may mean the same, and `*` and `?` stand for what they do in globs.
/// Case, bullets and signs around a key, and the width of the gaps inside it do not count.
struct KeyNames {
    let names: [String]
    private let exact: Set<String>
    private let globs: [Glob]

    init(_ names: [String]) {
        self.names = names
        let folded = names.map(Self.folded)
        exact = Set(folded.filter { Glob($0).isLiteral }.map(Self.canonical))
        globs = folded.map { Glob($0) }.filter { !$0.isLiteral }
    }

    /// `key` is canonical.
    func matches(_ key: String) -> Bool {
        exact.contains(key) || globs.contains { $0.matches(key) }
    }

    /// Literals of which one stands in every text with such a key; `nil` when none is certain.
    var requiredLiterals: [String]? {
        guard globs.isEmpty else { return nil }
        let words = exact.map { name in
            name.split(separator: Character(" ")).map(String.init).max { $0.count < $1.count } ?? ""
        }
        let areLong = words.allSatisfy { $0.unicodeScalars.count >= RequiredLiterals.shortest }
        return words.isEmpty || !areLong ? nil : words
    }

    static func canonical(_ key: String) -> String {
        let folded = folded(key)
        let start = folded.firstIndex { $0.isLetter || $0.isNumber }
        let end = folded.lastIndex { $0.isLetter || $0.isNumber }
        guard let start, let end else { return "" }
        return String(folded[start...end])
    }

    private static func folded(_ key: String) -> String {
        let folded = String(decoding: NormalizedText.fold(Array(key.utf8)), as: UTF8.self)
        return folded.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
