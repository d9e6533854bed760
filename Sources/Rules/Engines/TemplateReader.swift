internal import Model
internal import PipelineFile

/// Makes patterns of templates such as `BUY {ticker} @ {entry_price} [SL {stop}]`.
///
/// A template is a whole line, or several: nothing may stand around it but white space, unless it says so by `...`.
/// White space in it stands for any, brackets hold what may be missing, `\` takes the meaning from the sign behind it.
/// A placeholder takes what its field's kind allows: a number, one of an enum's words, else one word; `{name...}` takes
/// the words up to what comes next.
struct TemplateReader {
    private let template: [Character]
    private let fields: [FieldType]
    /// Words beside its own that an enum's placeholder takes: those of its `map:`.
    private let words: [String: [String]]
    private var position = 0
    private var startsWithDots = false
    private var endsWithDots = false
    /// Places in `fields`, each with whether it always has a value.
    private(set) var placeholders: [(field: Int, isCertain: Bool)] = []

    struct Problem: Error, Equatable {
        var message: String
        /// In UTF-8 bytes of the template.
        var offset: Int
    }

    init(_ template: String, fields: [FieldType], words: [String: [String]]) {
        self.template = Array(template)
        self.fields = fields
        self.words = words
    }

    static func groupName(_ field: Int) -> String { "f\(field)" }

    /// The pattern, with a group of ``groupName(_:)`` for every placeholder.
    ///
    /// - Throws: ``Problem`` for what is no template.
    mutating func pattern() throws(Problem) -> String {
        let body = try sequence(isOptional: false)
        guard !placeholders.isEmpty else {
            throw Problem(
                message: "the template has no placeholder, such as '{\(fields.first?.name ?? "name")}'",
                offset: 0
            )
        }
        let start = startsWithDots ? "^" : "^\\h*"
        return start + body + (endsWithDots ? "$" : "\\h*$")
    }

    private var current: Character? { position < template.count ? template[position] : nil }
    private var offset: Int { String(template[..<position]).utf8.count }

    /// Up to the end, or to the bracket that closes an optional part.
    private mutating func sequence(isOptional: Bool) throws(Problem) -> String {
        var pattern = ""
        while let character = current, !(character == "]" && isOptional) {
            let gap = takeGap()
            if startsDots {
                position += 3
                pattern += dots(gap: gap, isFirst: pattern.isEmpty && !isOptional)
                continue
            }
            switch current {
            case "[":
                let start = offset
                position += 1
                let inside = try sequence(isOptional: true)
                guard current == "]" else { throw Problem(message: "the bracket is not closed", offset: start) }
                position += 1
                // The gap to an optional part is as optional as the part.
                let after = pattern.isEmpty ? takeGap() : ""
                pattern += "(?:\(gap)\(inside)\(after))?"
            case "{": pattern += gap + (try placeholder(isOptional: isOptional))
            case "]" where isOptional: pattern += gap
            case "]", "}": throw Problem(message: "nothing opens this '\(character)'", offset: offset)
            case "\\":
                position += 1
                guard let literal = current else {
                    throw Problem(message: "nothing behind the '\\'", offset: offset - 1)
                }
                position += 1
                pattern += gap + Self.escaped(String(literal))
            case let literal?:
                position += 1
                pattern += gap + Self.escaped(String(literal))
            case nil: pattern += gap
            }
        }
        return pattern
    }

    private var startsDots: Bool { template[position...].starts(with: "...") }

    /// White space as a pattern; nothing when there is none.
    private mutating func takeGap() -> String {
        let start = position
        while let character = current, character.isWhitespace { position += 1 }
        let gap = template[start..<position]
        if gap.isEmpty { return "" }
        return gap.contains(where: \.isNewline) ? "\\h*\\R\\s*" : "\\h+"
    }

    /// Anything within a line, or nothing. Where white space parts it from its neighbour, it ends at a word's end; a
    /// lookaround says so, since two repeats of white space side by side would run into the step limit.
    private mutating func dots(gap: String, isFirst: Bool) -> String {
        let after = takeGap()
        let isLast = position == template.count
        if isFirst { startsWithDots = true }
        if isLast {
            endsWithDots = true
            return gap.isEmpty ? ".*" : "(?!\\S).*"
        }
        if after.contains("R") { return gap + ".*?" + after }
        let start = isFirst || gap.isEmpty || gap.contains("R") ? gap : "\\h"
        return start + ".*?" + (after.isEmpty ? "" : "(?<!\\S)")
    }

    private mutating func placeholder(isOptional: Bool) throws(Problem) -> String {
        let start = offset
        guard let close = template[position...].firstIndex(of: "}") else {
            throw Problem(message: "the brace is not closed", offset: start)
        }
        var name = String(template[(position + 1)..<close])
        let isLong = name.hasSuffix("...")
        if isLong { name.removeLast(3) }
        guard let field = fields.firstIndex(where: { $0.name == name }) else {
            let known = fields.map(\.name)
            let near = nearest(name, in: known).map { "did you mean '\($0)'?" }
            let help = near ?? "there are \(known.joined(separator: ", "))"
            throw Problem(message: "no field '\(name)'; \(help)", offset: start + 1)
        }
        guard !placeholders.contains(where: { $0.field == field }) else {
            throw Problem(message: "'{\(name)}' stands twice", offset: start)
        }
        placeholders.append((field, !isOptional))
        position = close + 1
        return "(?<\(Self.groupName(field))>\(content(of: fields[field], isLong: isLong)))"
    }

    private func content(of field: FieldType, isLong: Bool) -> String {
        switch field.kind {
        case .decimal, .integer:
            return #"[-+−]?(?:[$€£¥₹₿₽₺]\h?)?(?>\d+(?:[.,]\d+)*|\.\d+)[kKmM]?"#
        case .enum:
            let all = Set((field.values + (words[field.name] ?? [])).map { $0.lowercased() })
            return all.sorted { ($1.count, $0) < ($0.count, $1) }.map(Self.escaped).joined(separator: "|")
        case .boolean: return "true|false|yes|no"
        case .timestamp: return #"<t:[^>\n]*>|\S+?"#
        case .text, .json: return isLong || field.kind == .json ? #"\S(?:.*?\S)?"# : #"\S+?"#
        }
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { pattern, scalar in
            if scalar == " " || scalar == "\t" {
                pattern += "\\h+"
                return
            }
            if scalar.isASCII, !UInt8(scalar.value).isASCIIWord { pattern += "\\" }
            pattern.unicodeScalars.append(scalar)
        }
    }
}
