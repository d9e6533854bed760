internal import Model

/// A `check:` bound to a record type: what every record of it must satisfy.
struct Expression: Sendable {
    /// As written.
    let source: String
    private let condition: Condition

    indirect enum Condition: Sendable {
        case compare(ExpressionTree.Comparison, Operand, Operand, ignoringCase: Bool)
        case member(Operand, [FieldValue], isNegated: Bool, ignoringCase: Bool)
        case present(Place)
        case constant(Bool)
        case not(Condition)
        case and(Condition, Condition)
        case or(Condition, Condition)
    }

    indirect enum Operand: Sendable {
        case literal(FieldValue)
        case place(Place)
        case negated(Operand)
        case arithmetic(ExpressionTree.Arithmetic, Operand, Operand)
    }

    /// Where in a record the values stand.
    enum Place: Sendable {
        case field(Int)
        case list(Int, where: Selection?)
        case element(list: Int, field: Int, where: Selection?)
    }

    /// The elements of a list whose enum has a value.
    struct Selection: Sendable {
        var field: Int
        var value: FieldValue
    }

    /// - Throws: ``ExpressionError`` for what cannot be read, names the record type does not have, and comparisons of
    ///   kinds that do not compare.
    init(_ source: String, record: RecordType) throws(ExpressionError) {
        self.source = source
        condition = try ExpressionBinder(record: record).condition(try ExpressionParser.parse(source))
    }

    /// Whether `draft` satisfies it. Arithmetic that has no exact result, such as a division by zero, satisfies
    /// nothing.
    func holds(for draft: RecordDraft) -> Bool {
        do {
            return try evaluate(condition, draft)
        } catch {
            return false
        }
    }

    private struct NoExactResult: Error {}

    private func evaluate(_ condition: Condition, _ draft: RecordDraft) throws(NoExactResult) -> Bool {
        switch condition {
        case .constant(let value): return value
        case .not(let inner): return try !evaluate(inner, draft)
        case .and(let left, let right):
            guard try evaluate(left, draft) else { return false }
            return try evaluate(right, draft)
        case .or(let left, let right):
            if try evaluate(left, draft) { return true }
            return try evaluate(right, draft)
        case .present(let place): return isPresent(place, draft)
        case .compare(let comparison, let left, let right, let ignoringCase):
            let rights = try values(right, draft)
            // No value on a side: there is nothing to compare, and the comparison holds.
            return try values(left, draft).allSatisfy { left in
                rights.allSatisfy { Self.compare(comparison, left, $0, ignoringCase: ignoringCase) }
            }
        case .member(let operand, let members, let isNegated, let ignoringCase):
            return try values(operand, draft).allSatisfy { value in
                members.contains { Self.compare(.equal, value, $0, ignoringCase: ignoringCase) } != isNegated
            }
        }
    }

    private func isPresent(_ place: Place, _ draft: RecordDraft) -> Bool {
        switch place {
        case .field(let index): draft.fields[index] != nil
        case .list(let list, let selection): draft.lists[list].contains { Self.isSelected($0, selection) }
        case .element(let list, let field, let selection):
            draft.lists[list].contains { Self.isSelected($0, selection) && $0.fields[field] != nil }
        }
    }

    private static func isSelected(_ element: RecordDraft.Element, _ selection: Selection?) -> Bool {
        selection.map { element.fields[$0.field] == $0.value } ?? true
    }

    /// None for an absent field, one for a field, any number for a list.
    private func values(_ operand: Operand, _ draft: RecordDraft) throws(NoExactResult) -> [FieldValue] {
        switch operand {
        case .literal(let value): return [value]
        case .place(.field(let index)): return draft.fields[index].map { [$0] } ?? []
        case .place(.list): return []
        case .place(.element(let list, let field, let selection)):
            return draft.lists[list].compactMap { Self.isSelected($0, selection) ? $0.fields[field] : nil }
        case .negated(let inner):
            var results: [FieldValue] = []
            for value in try values(inner, draft) { results.append(.decimal(try Self.number(value).negated)) }
            return results
        case .arithmetic(let operation, let left, let right):
            let rights = try values(right, draft)
            var results: [FieldValue] = []
            for left in try values(left, draft) {
                for right in rights { results.append(.decimal(try Self.calculate(operation, left, right))) }
            }
            return results
        }
    }

    private static func calculate(
        _ operation: ExpressionTree.Arithmetic,
        _ left: FieldValue,
        _ right: FieldValue
    ) throws(NoExactResult) -> ExactDecimal {
        let (first, second) = (try number(left), try number(right))
        let result =
            switch operation {
            case .add: first.adding(second)
            case .subtract: first.subtracting(second)
            case .multiply: first.multiplied(by: second)
            case .divide: first.divided(by: second)
            }
        guard let result else { throw NoExactResult() }
        return result
    }

    private static func number(_ value: FieldValue) throws(NoExactResult) -> ExactDecimal {
        switch value {
        case .decimal(let number): return number
        case .integer(let number): return ExactDecimal(number)
        default: throw NoExactResult()
        }
    }

    private static func compare(
        _ comparison: ExpressionTree.Comparison,
        _ left: FieldValue,
        _ right: FieldValue,
        ignoringCase: Bool
    ) -> Bool {
        switch (left, right) {
        case (.decimal(let first), .decimal(let second)): ordered(comparison, first, second)
        case (.integer(let first), .integer(let second)): ordered(comparison, first, second)
        case (.integer(let first), .decimal(let second)): ordered(comparison, ExactDecimal(first), second)
        case (.decimal(let first), .integer(let second)): ordered(comparison, first, ExactDecimal(second))
        case (.timestamp(let first), .timestamp(let second)): ordered(comparison, first, second)
        case (.text(let first), .text(let second)) where ignoringCase:
            (comparison == .equal) == (first.lowercased() == second.lowercased())
        default: (comparison == .equal) == (left == right)
        }
    }

    private static func ordered<Value: Comparable>(
        _ comparison: ExpressionTree.Comparison,
        _ left: Value,
        _ right: Value
    ) -> Bool {
        switch comparison {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }
}
