/// A YAML file as read: its text, and the name under which diagnostics show it.
package struct SourceFile: Sendable, Codable, Equatable {
    /// As shown to the reader of a diagnostic, such as `parsers/gold.yaml`.
    package let name: String
    package let text: String
    /// Why there is no text, for a file that could not be read or is not UTF-8; ``YAMLParser`` reports it.
    package let problem: String?

    package init(name: String, text: String) {
        self.name = name
        self.text = text
        problem = nil
    }

    /// A file whose text is unknown, because of `problem`.
    package init(name: String, problem: String) {
        self.name = name
        text = ""
        self.problem = problem
    }

    /// Line `number` (from 1) without its line break; `nil` past the end.
    func line(_ number: Int) -> Substring? {
        // By bytes: as characters, "\r\n" is one and would not be split.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), maxSplits: number, omittingEmptySubsequences: false)
        guard number >= 1, lines.count >= number else { return nil }
        let line = lines[number - 1]
        return Substring(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    }
}

/// A place in a file. Both count from 1; a column is a Unicode scalar, as editors and libyaml count.
package struct SourceMark: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package var description: String { "\(line):\(column)" }

    package static func < (left: SourceMark, right: SourceMark) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}
