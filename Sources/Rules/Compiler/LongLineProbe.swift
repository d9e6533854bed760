/// Tries patterns on long lines of repeats, on which a careless one takes time without end.
enum LongLineProbe {
    private static let length = 2000

    private static let units = [
        ("letters", "a"), ("digits", "1"), ("spaces", " "), ("numbers", "1,1."), ("words", "a "), ("hyphens", "-"),
    ]

    /// What the line on which `pattern` ran into the limit consists of; `nil` when it finished on all.
    static func limitHit(of pattern: Pattern) -> String? {
        // A character that no pattern asks for makes a match that came this far fail and be taken back. What the
        // pattern does ask for stands behind it: PCRE2 looks for that first, and would not even start without.
        let end = [1] + Set(pattern.source.utf8).filter { $0 > 0x20 && $0 < 0x7F }.sorted()
        for (name, unit) in units + own(pattern) {
            let bytes = Array(unit.utf8)
            let text = (0..<length).map { bytes[$0 % bytes.count] } + end
            if text.withUnsafeBufferPointer({ pattern.match($0) }) == .limitHit { return name }
        }
        return nil
    }

    /// Repeats of words from the pattern itself, which get furthest into it.
    private static func own(_ pattern: Pattern) -> [(String, String)] {
        let words = pattern.source.utf8.split { !(0x41...0x5A ~= $0 || 0x61...0x7A ~= $0) }
            .map { String(decoding: $0, as: UTF8.self) }.filter { $0.count >= 2 }
        return Set(words).sorted().prefix(4).map { ("'\($0) '", $0 + " ") } + letters(pattern)
    }

    /// Repeats of one character from the pattern, where it repeats a group: `(x+x+)+`.
    private static func letters(_ pattern: Pattern) -> [(String, String)] {
        guard [")+", ")*", "){"].contains(where: { pattern.source.contains($0) }) else { return [] }
        let letters = pattern.source.utf8.filter {
            $0.isASCIIWord && $0 != UInt8(ascii: "a") && $0 != UInt8(ascii: "1")
        }
        return Set(letters).sorted().prefix(8).map { letter in
            let text = String(decoding: [letter], as: UTF8.self)
            return ("'\(text)'", text)
        }
    }
}
