internal import Model

/// An expression as it was written, before it is known whether it fits a record type.
indirect enum ExpressionTree {
    case path([String], offset: Int)
    case number(ExactDecimal, offset: Int)
    case string(String, offset: Int)
    case boolean(Bool, offset: Int)
    case negated(ExpressionTree, offset: Int)
    case arithmetic(Arithmetic, ExpressionTree, ExpressionTree, offset: Int)
    case comparison(Comparison, ExpressionTree, ExpressionTree, offset: Int)
    case membership(ExpressionTree, [ExpressionTree], isNegated: Bool, offset: Int)
    case not(ExpressionTree, offset: Int)
    case and(ExpressionTree, ExpressionTree)
    case or(ExpressionTree, ExpressionTree)

    enum Arithmetic: String { case add = "+", subtract = "-", multiply = "*", divide = "/" }

    enum Comparison: String {
        case equal = "="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        var isOrder: Bool { self != .equal && self != .notEqual }
    }

    /// Where the expression or its sign stands.
    var offset: Int {
        switch self {
        case .path(_, let offset), .number(_, let offset), .string(_, let offset), .boolean(_, let offset),
            .negated(_, let offset), .arithmetic(_, _, _, let offset), .comparison(_, _, _, let offset),
            .membership(_, _, _, let offset), .not(_, let offset):
            offset
        case .and(let left, _), .or(let left, _): left.offset
        }
    }
}

/// Reads an expression. From loose to tight: `or`, `and`, `not`, comparisons and `in`, `+ -`, `* /`, a minus sign.
struct ExpressionParser {
    private let tokens: [ExpressionToken]
    private var position = 0
    private var depth = 0
    private static let deepest = 64

    static func parse(_ source: String) throws(ExpressionError) -> ExpressionTree {
        var parser = ExpressionParser(tokens: try ExpressionScanner.scan(source))
        let tree = try parser.disjunction()
        guard parser.token.kind == .end else { throw parser.unexpected("the end") }
        return tree
    }

    private init(tokens: [ExpressionToken]) {
        self.tokens = tokens
    }

    private var token: ExpressionToken { tokens[position] }

    private mutating func take(_ kind: ExpressionToken.Kind) -> Bool {
        guard token.kind == kind else { return false }
        position += 1
        return true
    }

    private func unexpected(_ expected: String) -> ExpressionError {
        ExpressionError(message: "expected \(expected), not \(token.shown)", offset: token.offset)
    }

    private mutating func disjunction() throws(ExpressionError) -> ExpressionTree {
        var tree = try conjunction()
        while take(.keyword("or")) { tree = .or(tree, try conjunction()) }
        return tree
    }

    private mutating func conjunction() throws(ExpressionError) -> ExpressionTree {
        var tree = try negation()
        while take(.keyword("and")) { tree = .and(tree, try negation()) }
        return tree
    }

    private mutating func negation() throws(ExpressionError) -> ExpressionTree {
        let offset = token.offset
        guard take(.keyword("not")) else { return try comparison() }
        return .not(try nested { (parser) throws(ExpressionError) in try parser.negation() }, offset: offset)
    }

    private mutating func comparison() throws(ExpressionError) -> ExpressionTree {
        let left = try sum()
        let offset = token.offset
        if case .sign(let sign) = token.kind, let comparison = ExpressionTree.Comparison(rawValue: sign) {
            position += 1
            let right = try sum()
            if case .sign(let next) = token.kind, ExpressionTree.Comparison(rawValue: next) != nil {
                throw ExpressionError(message: "comparisons do not chain; join two with 'and'", offset: token.offset)
            }
            return .comparison(comparison, left, right, offset: offset)
        }
        let isNegated = token.kind == .keyword("not") && tokens[position + 1].kind == .keyword("in")
        if isNegated { position += 1 }
        guard take(.keyword("in")) else { return left }
        return .membership(left, try items(), isNegated: isNegated, offset: offset)
    }

    private mutating func items() throws(ExpressionError) -> [ExpressionTree] {
        guard take(.sign("[")) else { throw unexpected("'['") }
        var items = [try sum()]
        while take(.sign(",")) { items.append(try sum()) }
        guard take(.sign("]")) else { throw unexpected("']'") }
        return items
    }

    private mutating func sum() throws(ExpressionError) -> ExpressionTree {
        var tree = try product()
        while case .sign(let sign) = token.kind, sign == "+" || sign == "-" {
            let offset = token.offset
            position += 1
            tree = .arithmetic(sign == "+" ? .add : .subtract, tree, try product(), offset: offset)
        }
        return tree
    }

    private mutating func product() throws(ExpressionError) -> ExpressionTree {
        var tree = try factor()
        while case .sign(let sign) = token.kind, sign == "*" || sign == "/" {
            let offset = token.offset
            position += 1
            tree = .arithmetic(sign == "*" ? .multiply : .divide, tree, try factor(), offset: offset)
        }
        return tree
    }

    private mutating func factor() throws(ExpressionError) -> ExpressionTree {
        let start = token
        switch start.kind {
        case .number(let number):
            position += 1
            return .number(number, offset: start.offset)
        case .string(let text):
            position += 1
            return .string(text, offset: start.offset)
        case .path(let names):
            position += 1
            return .path(names, offset: start.offset)
        case .keyword("true"), .keyword("false"):
            position += 1
            return .boolean(start.kind == .keyword("true"), offset: start.offset)
        case .sign("-"):
            position += 1
            let operand = try nested { (parser) throws(ExpressionError) in try parser.factor() }
            return .negated(operand, offset: start.offset)
        case .sign("("):
            position += 1
            let tree = try nested { (parser) throws(ExpressionError) in try parser.disjunction() }
            guard take(.sign(")")) else { throw unexpected("')'") }
            return tree
        default: throw unexpected("a name, a number or a text")
        }
    }

    private mutating func nested(
        _ body: (inout ExpressionParser) throws(ExpressionError) -> ExpressionTree
    ) throws(ExpressionError) -> ExpressionTree {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else {
            throw ExpressionError(message: "the expression is nested too deep", offset: token.offset)
        }
        return try body(&self)
    }
}
