/// One thing to tell whoever wrote a file.
package struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
    package enum Severity: String, Sendable, Hashable { case error, warning }

    package var severity: Severity
    /// The file's name as shown; see ``SourceFile/name``.
    package var file: String
    /// `nil` when the message concerns the file as a whole.
    package var mark: SourceMark?
    package var message: String

    package init(severity: Severity, file: String, mark: SourceMark?, message: String) {
        self.severity = severity
        self.file = file
        self.mark = mark
        self.message = message
    }

    /// One line: `pipeline.yaml:12:5: unknown key 'chanels'; did you mean 'channels'?`. Control characters are
    /// escaped, so that a value quoted from a file cannot steer a terminal.
    package var description: String {
        let place = mark.map { "\(file):\($0)" } ?? file
        return Self.escaped("\(place): \(severity == .warning ? "warning: " : "")\(message)")
    }

    /// The line of ``description``, then the source line and a caret under the place, where `sources` has the file.
    package func rendered(sources: [SourceFile], colour: Bool) -> String {
        var text = colour ? coloured : description
        guard let mark, let line = sources.first(where: { $0.name == file })?.line(mark.line) else { return text }
        let before = line.unicodeScalars.prefix(mark.column - 1)
        // A tab stays a tab, so that the caret stands under its character at any tab width.
        let indent = String(String.UnicodeScalarView(before.map { $0 == "\t" ? "\t" : " " }))
        text += "\n    \(Self.escaped(String(line)))\n    \(indent)"
        return text + (colour ? "\u{1B}[1;32m^\u{1B}[0m" : "^")
    }

    private var coloured: String {
        let place = mark.map { "\(file):\($0)" } ?? file
        let kind = severity == .error ? "\u{1B}[1;31merror:" : "\u{1B}[1;35mwarning:"
        return "\u{1B}[1m\(Self.escaped(place)):\u{1B}[0m \(kind)\u{1B}[0m \(Self.escaped(message))"
    }

    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if isControl(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control && scalar != "\t" && scalar != "\n"
    }
}

/// Everything found wrong or doubtful in a set of files. What is said twice, as through an alias, is kept once.
package struct Diagnostics: Sendable {
    private var found: Set<Diagnostic> = []

    package init() {}

    /// Sorted by file, line and column.
    package var all: [Diagnostic] {
        found.sorted { left, right in
            let (leftMark, rightMark) = (left.mark ?? Self.wholeFile, right.mark ?? Self.wholeFile)
            return (left.file, leftMark, left.severity.rawValue, left.message)
                < (right.file, rightMark, right.severity.rawValue, right.message)
        }
    }

    package var errors: [Diagnostic] { all.filter { $0.severity == .error } }
    package var warnings: [Diagnostic] { all.filter { $0.severity == .warning } }
    package var isEmpty: Bool { found.isEmpty }
    package var hasErrors: Bool { found.contains { $0.severity == .error } }

    func hasError(at node: YAMLNode) -> Bool {
        found.contains { $0.severity == .error && $0.file == node.file && $0.mark == node.mark }
    }

    package mutating func error(_ message: String, at node: YAMLNode) {
        error(message, file: node.file, mark: node.mark)
    }

    package mutating func error(_ message: String, file: String, mark: SourceMark?) {
        found.insert(Diagnostic(severity: .error, file: file, mark: mark, message: message))
    }

    package mutating func warning(_ message: String, at node: YAMLNode) {
        warning(message, file: node.file, mark: node.mark)
    }

    package mutating func warning(_ message: String, file: String, mark: SourceMark?) {
        found.insert(Diagnostic(severity: .warning, file: file, mark: mark, message: message))
    }

    package mutating func append(_ others: Diagnostics) {
        found.formUnion(others.found)
    }

    private static let wholeFile = SourceMark(line: 0, column: 0)
}
