/// Derives from a pattern literals of which one must occur wherever the pattern matches.
///
/// It reads only the part of PCRE2's syntax whose meaning here is certain, and gives up on the rest: a literal too few
/// costs time, a literal too many would lose messages. Of letters only those of ASCII count, whose cases are known.
struct RequiredLiterals {
    /// Shorter literals occur in too many texts to be worth a look.
    static let shortest = 3
    /// More alternatives than this are not kept.
    static let mostAlternatives = 32

    /// The literals of `pattern` in small letters; `nil` when none is certain.
    static func of(_ pattern: String) -> [String]? {
        var reader = RequiredLiterals(pattern)
        guard let part = try? reader.alternation(depth: 0), reader.position == reader.scalars.count else { return nil }
        return best(of: part.candidates).map { Set($0).sorted() }
    }

    /// The set that lets fewest texts through, as far as that can be told: long literals, then few of them.
    static func best(of candidates: [[String]]) -> [String]? {
        candidates.map(shortened).max { rank($0) < rank($1) }
    }

    /// What a part of a pattern matches.
    private struct Part {
        /// All texts it can match, where they are few and known.
        var exact: [String]?
        /// Sets of literals; of each set one must occur in what it matches.
        var required: [[String]] = []

        static let nothing = Part(exact: [""])
        static let unknown = Part(exact: nil)

        /// ``required``, and ``exact`` where that is a set worth having.
        var candidates: [[String]] {
            guard let exact, RequiredLiterals.isUseful(exact) else { return required }
            return required + [exact]
        }
    }

    /// Syntax whose meaning is not certain here.
    private struct Unreadable: Error {}

    private let scalars: [Unicode.Scalar]
    private var position = 0

    private init(_ pattern: String) {
        scalars = Array(pattern.unicodeScalars)
    }

    private static func isUseful(_ literals: [String]) -> Bool {
        !literals.isEmpty && literals.count <= mostAlternatives
            && literals.allSatisfy { $0.unicodeScalars.count >= shortest }
    }

    private static func rank(_ literals: [String]) -> (Int, Int) {
        (min(literals.map(\.unicodeScalars.count).min() ?? 0, 6), -literals.count)
    }

    /// Without those that contain another one: where they occur, that one does.
    private static func shortened(_ literals: [String]) -> [String] {
        Set(literals).filter { literal in
            !literals.contains { $0.count < literal.count && literal.contains($0) }
        }
    }

    // MARK: Reading

    private var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        position += 1
        return true
    }

    private mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    private mutating func skip(past end: Unicode.Scalar) throws(Unreadable) {
        while let scalar = current {
            position += 1
            if scalar == end { return }
        }
        throw Unreadable()
    }

    private mutating func alternation(depth: Int) throws(Unreadable) -> Part {
        guard depth < 64 else { throw Unreadable() }
        var branches = [try sequence(depth: depth)]
        while take("|") { branches.append(try sequence(depth: depth)) }
        guard branches.count > 1 else { return branches[0] }
        var exact: [String]? = []
        var required: [String]? = []
        for branch in branches {
            exact = branch.exact.flatMap { more in exact.map { $0 + more } }
            required = Self.best(of: branch.candidates).flatMap { more in required.map { $0 + more } }
        }
        if let all = exact, all.count > Self.mostAlternatives { exact = nil }
        return Part(exact: exact, required: required.map { Self.isUseful($0) ? [$0] : [] } ?? [])
    }

    private mutating func sequence(depth: Int) throws(Unreadable) -> Part {
        var required: [[String]] = []
        // The texts that stand side by side up to here since the last part that is not known exactly.
        var run = [""]
        var isExact = true
        func endRun() {
            if Self.isUseful(run) { required.append(run) }
            isExact = false
        }
        while let scalar = current, scalar != "|", scalar != ")" {
            let atom = try atom(depth: depth)
            let count = try quantifier()
            var part = atom
            switch count {
            case (1, 1): break
            case (0, 1): part = Part(exact: atom.exact.map { $0 + [""] })
            case (0, _): part = .unknown
            default: part.exact = nil
            }
            if let exact = part.exact, exact.count * run.count <= Self.mostAlternatives {
                run = run.flatMap { start in exact.map { start + $0 } }
                required += part.required
                continue
            }
            // Of "ab+c" the first "b" follows "a", and the last one precedes "c".
            if let exact = atom.exact, count.least > 0, exact.count * run.count <= Self.mostAlternatives {
                run = run.flatMap { start in exact.map { start + $0 } }
            }
            endRun()
            required += count.least > 0 ? atom.candidates : []
            run = count.least > 0 ? atom.exact ?? [""] : [""]
        }
        if isExact { return Part(exact: run, required: required) }
        endRun()
        return Part(exact: nil, required: required)
    }

    /// `(1, 1)` without a quantifier. Lazy and possessive ones count the same.
    private mutating func quantifier() throws(Unreadable) -> (least: Int, most: Int) {
        var count = (least: 1, most: 1)
        if take("?") {
            count = (0, 1)
        } else if take("*") {
            count = (0, .max)
        } else if take("+") {
            count = (1, .max)
        } else if current == "{", let braces = try counted() {
            count = braces
        } else {
            return count
        }
        _ = take("?") || take("+")
        // Something after that is an error to PCRE2, or means something that is not known here.
        if let next = current, "?*+".unicodeScalars.contains(next) { throw Unreadable() }
        return count
    }

    /// `{2}`, `{2,}` or `{2,3}`; other text in braces is text. `{,3}` and spaces mean different things to different
    /// versions of PCRE2.
    private mutating func counted() throws(Unreadable) -> (least: Int, most: Int)? {
        guard let close = scalars[position...].firstIndex(of: "}") else { return nil }
        let inside = String(String.UnicodeScalarView(scalars[(position + 1)..<close]))
        guard inside.contains(where: \.isNumber), inside.allSatisfy({ $0.isNumber || $0 == "," || $0 == " " }) else {
            return nil
        }
        let numbers = inside.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count <= 2, let least = numbers[0], !inside.contains(" ") else { throw Unreadable() }
        position = close + 1
        return (least, numbers.count == 1 ? least : numbers[1] ?? .max)
    }

    private mutating func atom(depth: Int) throws(Unreadable) -> Part {
        guard let scalar = current else { throw Unreadable() }
        position += 1
        switch scalar {
        case "^", "$": return .nothing
        case ".": return .unknown
        case "(": return try group(depth: depth)
        case "[": return try characterClass()
        case "\\": return try escape()
        case "?", "*", "+": throw Unreadable()
        default: return Self.part(of: scalar)
        }
    }

    private static func part(of scalar: Unicode.Scalar) -> Part {
        literal(scalar).map { Part(exact: [$0]) } ?? .unknown
    }

    /// A character whose every spelling folds to the same text: ASCII, and what has no case at all.
    private static func literal(_ scalar: Unicode.Scalar) -> String? {
        if scalar.isASCII { return String(Character(scalar)).lowercased() }
        let properties = scalar.properties
        let hasCase =
            properties.isCased || properties.changesWhenLowercased || properties.changesWhenUppercased
            || properties.changesWhenCaseFolded || properties.changesWhenCaseMapped
        return hasCase ? nil : String(Character(scalar))
    }

    private mutating func escape() throws(Unreadable) -> Part {
        guard let scalar = current else { throw Unreadable() }
        position += 1
        switch scalar {
        case "b", "B", "A", "z", "Z", "G": return .nothing
        case "N" where current == "{": throw Unreadable()
        case "d", "D", "w", "W", "s", "S", "h", "H", "v", "V", "R", "X", "N": return .unknown
        case "n": return Part(exact: ["\n"])
        case "t": return Part(exact: ["\t"])
        case "p", "P":
            if take("{") { try skip(past: "}") } else { position += 1 }
            return .unknown
        default:
            guard scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
                throw Unreadable()
            }
            return Self.part(of: scalar)
        }
    }

    /// Known only when it lists a few single characters.
    private mutating func characterClass() throws(Unreadable) -> Part {
        var members: [String]? = take("^") ? nil : []
        var isFirst = true
        while let scalar = current {
            position += 1
            switch scalar {
            case "]" where !isFirst:
                let known = members.map { Set($0) } ?? []
                return known.isEmpty || known.count > 4 ? .unknown : Part(exact: known.sorted())
            case "[" where current == ":" || current == "." || current == "=":
                try skip(past: "]")
                members = nil
            case "\\":
                let part = try classEscape()
                members = part.exact.flatMap { more in members.map { $0 + more } }
            case "-" where !isFirst && current != "]": members = nil
            default: members = Self.literal(scalar).flatMap { more in members.map { $0 + [more] } }
            }
            isFirst = false
        }
        throw Unreadable()
    }

    private mutating func classEscape() throws(Unreadable) -> Part {
        guard let scalar = current else { throw Unreadable() }
        if scalar.properties.isAlphabetic, !"dDwWsShHvVpPnt".unicodeScalars.contains(scalar) { throw Unreadable() }
        return try escape()
    }

    private mutating func group(depth: Int) throws(Unreadable) -> Part {
        if current == "*" { throw Unreadable() }
        var isAssertion = false
        if take("?") {
            if take("=") || take("!") || take("<=") || take("<!") {
                isAssertion = true
            } else if take("<") || take("P<") {
                try skip(past: ">")
            } else if take("'") {
                try skip(past: "'")
            } else if !take(":") && !take(">") && !take("|") {
                if try options() { return .nothing }
            }
        }
        let inside = try alternation(depth: depth + 1)
        guard take(")") else { throw Unreadable() }
        return isAssertion ? .nothing : inside
    }

    /// `i`, `m` and `s`, set or unset. True for `(?i)`, which stands alone, false for `(?i:`, which opens a group.
    private mutating func options() throws(Unreadable) -> Bool {
        while let scalar = current {
            position += 1
            switch scalar {
            case "i", "m", "s", "-": continue
            case ":": return false
            case ")": return true
            default: throw Unreadable()
            }
        }
        throw Unreadable()
    }
}
