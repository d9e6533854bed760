/// Finds the place in the file of a character inside a scalar, as an error inside a pattern needs it.
extension YAMLNode {
    /// The place of the character at `offset`, a count of UTF-8 bytes into ``scalar``.
    ///
    /// Exact for plain and quoted text on one line and for `|` blocks; the node's own mark for text that YAML folded
    /// over several lines, and for other nodes.
    package func mark(atScalarOffset offset: Int) -> SourceMark {
        guard let text = scalar, offset >= 0, offset <= text.utf8.count else { return mark }
        let place =
            switch source.first {
            case "|", ">": blockPlace(of: offset, in: text)
            case "'": inlinePlace(of: offset, in: text, skipping: 1, lengthOfUnit: Self.singleQuotedUnit)
            case "\"": inlinePlace(of: offset, in: text, skipping: 1, lengthOfUnit: Self.doubleQuotedUnit)
            default: inlinePlace(of: offset, in: text, skipping: 0) { _ in 1 }
            }
        return place ?? mark
    }

    /// Walks text and source together: one scalar of the text stands in the source as a unit of one or more scalars.
    private func inlinePlace(
        of offset: Int,
        in text: String,
        skipping opening: Int,
        lengthOfUnit: (Substring.UnicodeScalarView.SubSequence) -> Int
    ) -> SourceMark? {
        guard !source.isEmpty, !source.utf8.contains(UInt8(ascii: "\n")) else { return nil }
        var rest = source.unicodeScalars.dropFirst(opening)
        var column = mark.column + opening
        var bytes = 0
        for scalar in text.unicodeScalars {
            guard bytes + UTF8.width(scalar) <= offset else { break }
            bytes += UTF8.width(scalar)
            let length = lengthOfUnit(rest)
            rest = rest.dropFirst(length)
            column += length
        }
        return SourceMark(line: mark.line, column: column)
    }

    private static func singleQuotedUnit(_ rest: Substring.UnicodeScalarView) -> Int {
        rest.first == "'" ? 2 : 1
    }

    /// YAML 1.2, section 5.7: `\x`, `\u` and `\U` carry two, four and eight digits, every other escape one character.
    private static func doubleQuotedUnit(_ rest: Substring.UnicodeScalarView) -> Int {
        guard rest.first == "\\" else { return 1 }
        switch rest.dropFirst().first {
        case "x": return 4
        case "u": return 6
        case "U": return 10
        default: return 2
        }
    }

    /// A line of block text is the end of a source line; what stands before it there is indentation.
    private func blockPlace(of offset: Int, in text: String) -> SourceMark? {
        let newline = UInt8(ascii: "\n")
        let lineIndex = text.utf8.prefix(offset).count { $0 == newline }
        let lines = text.utf8.split(separator: newline, omittingEmptySubsequences: false)
        let sourceLines = source.utf8.split(separator: newline, omittingEmptySubsequences: false)
        guard lineIndex < lines.count, lineIndex + 1 < sourceLines.count else { return nil }
        let line = lines[lineIndex]
        var sourceLine = sourceLines[lineIndex + 1]
        if sourceLine.last == UInt8(ascii: "\r") { sourceLine = sourceLine.dropLast() }
        guard sourceLine.suffix(line.count).elementsEqual(line) else { return nil }
        let indent = sourceLine.count - line.count
        let lineStart = text.utf8.distance(from: text.startIndex, to: line.startIndex)
        let inLine = String(decoding: line.prefix(offset - lineStart), as: UTF8.self).unicodeScalars.count
        return SourceMark(line: mark.line + 1 + lineIndex, column: indent + inLine + 1)
    }
}
