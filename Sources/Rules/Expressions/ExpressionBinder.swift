internal import Model
internal import PipelineFile

/// Finds the names of an expression in a record type, and refuses what cannot be compared.
struct ExpressionBinder {
    let record: RecordType

    /// What an operand gives, as far as comparing goes.
    private enum Kind: Equatable {
        case number, text, boolean, timestamp, json
        case choice([String])

        var name: String {
            switch self {
            case .number: "a number"
            case .text: "text"
            case .boolean: "true or false"
            case .timestamp: "a time"
            case .json: "JSON"
            case .choice: "an enum"
            }
        }
    }

    func condition(_ tree: ExpressionTree) throws(ExpressionError) -> Expression.Condition {
        switch tree {
        case .and(let left, let right): return .and(try condition(left), try condition(right))
        case .or(let left, let right): return .or(try condition(left), try condition(right))
        case .not(let inner, _): return .not(try condition(inner))
        case .boolean(let value, _): return .constant(value)
        case .path(let names, let offset): return .present(try place(names, at: offset).place)
        case .comparison(let comparison, let left, let right, let offset):
            return try compare(comparison, left, right, at: offset)
        case .membership(let tree, let items, let isNegated, _):
            let (operand, kind) = try operand(tree)
            var members: [FieldValue] = []
            for item in items { members.append(try literal(item, for: kind)) }
            return .member(operand, members, isNegated: isNegated, ignoringCase: isChoice(kind))
        case .number, .string, .negated, .arithmetic:
            throw ExpressionError(message: "this gives a value, not true or false", offset: tree.offset)
        }
    }

    private func compare(
        _ comparison: ExpressionTree.Comparison,
        _ left: ExpressionTree,
        _ right: ExpressionTree,
        at offset: Int
    ) throws(ExpressionError) -> Expression.Condition {
        var (first, firstKind) = try operand(left)
        var (second, secondKind) = try operand(right)
        // Text beside a time or an enum is one of those, written down.
        if case .string = right {
            second = .literal(try literal(right, for: firstKind))
            secondKind = firstKind
        } else if case .string = left {
            first = .literal(try literal(left, for: secondKind))
            firstKind = secondKind
        }
        guard areComparable(firstKind, secondKind) else {
            throw ExpressionError(
                message: "\(firstKind.name) and \(secondKind.name) do not compare",
                offset: offset
            )
        }
        if comparison.isOrder, firstKind != .number, firstKind != .timestamp {
            throw ExpressionError(
                message: "\(firstKind.name) has no order; only '=' and '!=' compare it",
                offset: offset
            )
        }
        return .compare(
            comparison,
            first,
            second,
            ignoringCase: isChoice(firstKind) || isChoice(secondKind)
        )
    }

    private func isChoice(_ kind: Kind) -> Bool {
        if case .choice = kind { true } else { false }
    }

    private func areComparable(_ left: Kind, _ right: Kind) -> Bool {
        left == right || (isChoice(left) || left == .text) && (isChoice(right) || right == .text)
    }

    // MARK: Operands

    private func operand(_ tree: ExpressionTree) throws(ExpressionError) -> (Expression.Operand, Kind) {
        switch tree {
        case .number(let number, _): return (.literal(.decimal(number)), .number)
        case .string(let text, _): return (.literal(.text(text)), .text)
        case .boolean(let value, _): return (.literal(.boolean(value)), .boolean)
        case .negated(let inner, let offset):
            return (.negated(try number(inner, at: offset)), .number)
        case .arithmetic(let operation, let left, let right, let offset):
            return (.arithmetic(operation, try number(left, at: offset), try number(right, at: offset)), .number)
        case .path(let names, let offset):
            let (place, kind) = try place(names, at: offset)
            guard let kind else {
                throw ExpressionError(
                    message: "'\(names.joined(separator: "."))' names elements of a list; name one of their fields too",
                    offset: offset
                )
            }
            return (.place(place), kind)
        case .comparison, .membership, .not, .and, .or:
            throw ExpressionError(message: "this gives true or false, not a value", offset: tree.offset)
        }
    }

    private func number(_ tree: ExpressionTree, at offset: Int) throws(ExpressionError) -> Expression.Operand {
        let (operand, kind) = try operand(tree)
        guard kind == .number else {
            throw ExpressionError(message: "\(kind.name) cannot be reckoned with", offset: tree.offset)
        }
        return operand
    }

    /// A value written down, to be compared with something of `kind`.
    private func literal(_ tree: ExpressionTree, for kind: Kind) throws(ExpressionError) -> FieldValue {
        switch (tree, kind) {
        case (.string(let text, let offset), .choice(let values)):
            if let value = values.first(where: { $0.lowercased() == text.lowercased() }) { return .text(value) }
            let help = nearest(text, in: values).map { "did you mean '\($0)'?" }
            throw ExpressionError(
                message: "'\(text)' is not one of its values; \(help ?? "they are \(values.joined(separator: ", "))")",
                offset: offset
            )
        case (.string(let text, let offset), .timestamp):
            guard let value = TimestampReader.read(text) else {
                throw ExpressionError(message: "'\(text)' is not an ISO 8601 time", offset: offset)
            }
            return .timestamp(value)
        case (.string(let text, _), .text): return .text(text)
        case (.number(let number, _), .number): return .decimal(number)
        case (.negated(.number(let number, _), _), .number): return .decimal(number.negated)
        case (.boolean(let value, _), .boolean): return .boolean(value)
        case (.string, _), (.number, _), (.boolean, _):
            let (_, found) = try operand(tree)
            throw ExpressionError(message: "\(kind.name) and \(found.name) do not compare", offset: tree.offset)
        default: throw ExpressionError(message: "only numbers and texts may stand here", offset: tree.offset)
        }
    }

    // MARK: Names

    /// The place that `names` stand for; no kind when it is elements of a list rather than values.
    private func place(
        _ names: [String],
        at offset: Int
    ) throws(ExpressionError) -> (place: Expression.Place, kind: Kind?) {
        if let index = record.fields.firstIndex(where: { $0.name == names[0] }) {
            guard names.count == 1 else {
                throw ExpressionError(message: "'\(names[0])' is no list", offset: offset)
            }
            return (.field(index), kind(record.fields[index]))
        }
        guard let index = record.lists.firstIndex(where: { $0.name == names[0] }) else {
            throw ExpressionError(
                message: "record '\(record.name)' has no field or list '\(names[0])'"
                    + help(names[0], record.fields.map(\.name) + record.lists.map(\.name)),
                offset: offset
            )
        }
        return try placeInList(index, names, at: offset)
    }

    private func placeInList(
        _ index: Int,
        _ names: [String],
        at offset: Int
    ) throws(ExpressionError) -> (place: Expression.Place, kind: Kind?) {
        let list = record.lists[index]
        switch names.count {
        case 1: return (.list(index, where: nil), nil)
        case 2:
            if let field = list.fields.firstIndex(where: { $0.name == names[1] }) {
                return (.element(list: index, field: field, where: nil), kind(list.fields[field]))
            }
            return (.list(index, where: try selection(list, names[1], at: offset)), nil)
        case 3:
            let selection = try selection(list, names[1], at: offset)
            guard let field = list.fields.firstIndex(where: { $0.name == names[2] }) else {
                throw ExpressionError(
                    message: "list '\(list.name)' has no field '\(names[2])'"
                        + help(names[2], list.fields.map(\.name)),
                    offset: offset
                )
            }
            return (.element(list: index, field: field, where: selection), kind(list.fields[field]))
        default:
            throw ExpressionError(
                message: "a name has at most three parts: list.value.field",
                offset: offset
            )
        }
    }

    private func selection(
        _ list: ListType,
        _ value: String,
        at offset: Int
    ) throws(ExpressionError) -> Expression.Selection {
        var found: [Expression.Selection] = []
        for (index, field) in list.fields.enumerated() where field.kind == .enum {
            if let spelling = field.values.first(where: { $0.lowercased() == value.lowercased() }) {
                found.append(Expression.Selection(field: index, value: .text(spelling)))
            }
        }
        guard let only = found.first else {
            throw ExpressionError(
                message: "list '\(list.name)' has no field or enum value '\(value)'"
                    + help(value, list.fields.map(\.name) + list.fields.flatMap(\.values)),
                offset: offset
            )
        }
        guard found.count == 1 else {
            throw ExpressionError(
                message: "'\(value)' is a value of several enums of list '\(list.name)'",
                offset: offset
            )
        }
        return only
    }

    private func help(_ word: String, _ known: [String]) -> String {
        if let near = nearest(word, in: known) { return "; did you mean '\(near)'?" }
        return known.isEmpty ? "" : "; it has \(known.joined(separator: ", "))"
    }

    private func kind(_ field: FieldType) -> Kind {
        switch field.kind {
        case .integer, .decimal: .number
        case .text: .text
        case .boolean: .boolean
        case .timestamp: .timestamp
        case .json: .json
        case .enum: .choice(field.values)
        }
    }
}
