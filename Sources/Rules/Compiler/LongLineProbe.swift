/// Tries patterns on long lines of repeats, on which a careless one takes time without end.
enum LongLineProbe {
    private static let length = 2000

    private static let lines: [(name: String, text: [UInt8])] = [
        ("letters", line("a")), ("capitals", line("A")), ("digits", line("1")), ("spaces", line(" ")),
        ("numbers", line("1,1.")), ("words", line("a ")), ("hyphens", line("-")),
    ]

    /// What the line on which `pattern` ran into the limit consists of; `nil` when it finished on all.
    static func limitHit(of pattern: Pattern) -> String? {
        for (name, text) in lines + own(pattern) {
            if text.withUnsafeBufferPointer({ pattern.match($0) }) == .limitHit { return name }
        }
        return nil
    }

    /// Repeats of words from the pattern itself, which get furthest into it.
    private static func own(_ pattern: Pattern) -> [(name: String, text: [UInt8])] {
        let words = pattern.source.utf8.split { !(0x41...0x5A ~= $0 || 0x61...0x7A ~= $0) }
            .map { String(decoding: $0, as: UTF8.self) }.filter { $0.count >= 2 }
        return Set(words).sorted().prefix(4).map { ("'\($0) '", line($0 + " ")) }
    }

    /// The end is something hardly any pattern asks for, so that a match near it fails and is taken back.
    private static func line(_ unit: String) -> [UInt8] {
        let bytes = Array(unit.utf8)
        return (0..<length).map { bytes[$0 % bytes.count] } + Array("\u{1}".utf8)
    }
}
