internal import Model

/// An expression of `check:` that cannot be read, or that does not fit the record type.
struct ExpressionError: Error, Equatable {
    var message: String
    /// In UTF-8 bytes of the expression.
    var offset: Int
}

/// A word, number, text or sign of an expression.
struct ExpressionToken: Equatable {
    enum Kind: Equatable {
        /// A name, or names joined by points.
        case path([String])
        case number(ExactDecimal)
        case string(String)
        /// `and or not in true false`.
        case keyword(String)
        case sign(String)
        case end
    }

    var kind: Kind
    var offset: Int

    /// As an error message shows it.
    var shown: String {
        switch kind {
        case .path(let names): "'\(names.joined(separator: "."))'"
        case .number(let number): "'\(number)'"
        case .string(let text): "'\(text)'"
        case .keyword(let word): "'\(word)'"
        case .sign(let sign): "'\(sign)'"
        case .end: "the end"
        }
    }
}

/// Cuts an expression into tokens.
struct ExpressionScanner {
    private let bytes: [UInt8]
    private var position = 0

    private static let keywords: Set<String> = ["and", "or", "not", "in", "true", "false"]
    private static let signs = [
        "!=", "<=", ">=", "==", "&&", "||", "=", "<", ">", "(", ")", "[", "]", ",", "+", "-", "*", "/",
    ]
    /// What people write out of habit, and what it is here.
    private static let habits = ["==": "=", "&&": "and", "||": "or", "!": "not"]

    static func scan(_ source: String) throws(ExpressionError) -> [ExpressionToken] {
        var scanner = ExpressionScanner(bytes: Array(source.utf8))
        var tokens: [ExpressionToken] = []
        while let token = try scanner.next() { tokens.append(token) }
        tokens.append(ExpressionToken(kind: .end, offset: source.utf8.count))
        return tokens
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func next() throws(ExpressionError) -> ExpressionToken? {
        while position < bytes.count && bytes[position].isASCIISpace { position += 1 }
        guard position < bytes.count else { return nil }
        let start = position
        let byte = bytes[position]
        if byte.isASCIIDigit { return ExpressionToken(kind: .number(try number()), offset: start) }
        if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
            return ExpressionToken(kind: .string(try string()), offset: start)
        }
        if Self.isNameByte(byte) { return ExpressionToken(kind: try name(), offset: start) }
        if let sign = Self.signs.first(where: { bytes[position...].starts(with: $0.utf8) }), Self.habits[sign] == nil {
            position += sign.utf8.count
            return ExpressionToken(kind: .sign(sign), offset: start)
        }
        for (habit, meant) in Self.habits.sorted(by: { $0.key > $1.key })
        where bytes[position...].starts(with: habit.utf8) {
            throw ExpressionError(message: "'\(habit)' is written '\(meant)' here", offset: start)
        }
        let rest = String(decoding: bytes[position...], as: UTF8.self)
        throw ExpressionError(message: "'\(rest.prefix(1))' has no meaning here", offset: start)
    }

    private mutating func number() throws(ExpressionError) -> ExactDecimal {
        let start = position
        while position < bytes.count && (bytes[position].isASCIIDigit || bytes[position] == UInt8(ascii: ".")) {
            position += 1
        }
        guard let value = ExactDecimal(utf8: bytes[start..<position]),
            position == bytes.count || !Self.isNameByte(bytes[position])
        else {
            while position < bytes.count && Self.isNameByte(bytes[position]) { position += 1 }
            let text = String(decoding: bytes[start..<position], as: UTF8.self)
            throw ExpressionError(message: "'\(text)' is not a number", offset: start)
        }
        return value
    }

    private mutating func string() throws(ExpressionError) -> String {
        let start = position
        let quote = bytes[position]
        guard let end = bytes[(start + 1)...].firstIndex(of: quote) else {
            throw ExpressionError(message: "the text that starts here is not closed", offset: start)
        }
        position = end + 1
        return String(decoding: bytes[(start + 1)..<end], as: UTF8.self)
    }

    private mutating func name() throws(ExpressionError) -> ExpressionToken.Kind {
        let start = position
        while position < bytes.count && (Self.isNameByte(bytes[position]) || bytes[position] == UInt8(ascii: ".")) {
            position += 1
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if Self.keywords.contains(text) { return .keyword(text) }
        let names = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard names.allSatisfy({ !$0.isEmpty }) else {
            throw ExpressionError(message: "'\(text)' is not a name", offset: start)
        }
        return .path(names)
    }

    /// Enum values may hold hyphens, but those read as minus: such a value is compared as text instead.
    private static func isNameByte(_ byte: UInt8) -> Bool { byte.isASCIIWord || byte >= 0x80 }
}
