internal import Model

/// A value as an answer gives it, not yet believed.
struct QuotedValue {
    var quote: String
    var value: FieldValue
    /// As people find it in the answer: `trading_stops[1].price`.
    var name: String
}

/// A record as an answer gives it; the values stand by the places of their fields in the record type.
struct AnswerRecord {
    var fields: [Int: QuotedValue] = [:]
    var lists: [Int: [[Int: QuotedValue]]] = [:]
}

/// Reads an answer's JSON and refuses whatever its schema would not allow.
struct AnswerReader {
    let shape: AnswerShape

    func read(_ root: JSONView) throws(DeclineReason) -> [AnswerRecord] {
        let members = try members(of: root, ["records"], at: "the answer")
        var records: [AnswerRecord] = []
        for element in try elements(of: members[0], at: "records") {
            records.append(try record(element, at: records.count == 0 ? "" : "records[\(records.count)]."))
        }
        return records
    }

    private func record(_ json: JSONView, at place: String) throws(DeclineReason) -> AnswerRecord {
        let fields = shape.askedFields
        let lists = shape.askedLists
        let names = fields.map(\.type.name) + lists.map(\.type.name)
        let members = try members(of: json, names, at: place.isEmpty ? "records[0]" : String(place.dropLast()))
        var record = AnswerRecord()
        for (field, member) in zip(fields, members) {
            record.fields[field.index] = try value(member, field, at: place + field.type.name)
        }
        for (list, member) in zip(lists, members[fields.count...]) {
            let name = place + list.type.name
            var elements: [[Int: QuotedValue]] = []
            for element in try self.elements(of: member, at: name) {
                elements.append(try values(element, list.fields, at: "\(name)[\(elements.count)]"))
            }
            guard elements.count <= Extractor.longestList else {
                throw DeclineReason(.schema, "'\(name)' has more than \(Extractor.longestList) elements")
            }
            record.lists[list.index] = elements
        }
        return record
    }

    private func values(
        _ json: JSONView,
        _ fields: [AnswerShape.Asked],
        at place: String
    ) throws(DeclineReason) -> [Int: QuotedValue] {
        let members = try members(of: json, fields.map(\.type.name), at: place)
        var values: [Int: QuotedValue] = [:]
        for (field, member) in zip(fields, members) {
            values[field.index] = try value(member, field, at: "\(place).\(field.type.name)")
        }
        return values
    }

    private func value(
        _ json: JSONView,
        _ field: AnswerShape.Asked,
        at place: String
    ) throws(DeclineReason) -> QuotedValue? {
        if json.isNull {
            guard field.isRequired else { return nil }
            throw DeclineReason(.schema, "'\(place)' is required and null")
        }
        let members = try members(of: json, ["quote", "value"], at: place)
        guard let quote = members[0].string else { throw DeclineReason(.schema, "'\(place).quote' is not a text") }
        guard let value = Self.typed(members[1], field) else {
            let shown = AnswerJudge.shown(String(decoding: members[1].raw, as: UTF8.self))
            throw DeclineReason(.schema, "'\(place).value' is not of type \(field.type.kind.rawValue): \(shown)")
        }
        return QuotedValue(quote: quote, value: value, name: place)
    }

    /// The value in the type of its field; texts are edited as the field's quotes are.
    private static func typed(_ json: JSONView, _ field: AnswerShape.Asked) -> FieldValue? {
        switch field.type.kind {
        case .boolean: return json.boolean.map { .boolean($0) }
        case .decimal: return json.numberLiteral.flatMap { ExactDecimal($0) }.map { .decimal($0) }
        case .integer: return json.numberLiteral.flatMap { ExactDecimal($0)?.integer }.map { .integer($0) }
        case .enum:
            guard let text = json.string?.lowercased() else { return nil }
            return field.type.values.first { $0.lowercased() == text }.map { .text($0) }
        case .text, .timestamp, .json:
            guard let text = json.string, !text.isEmpty else { return nil }
            return try? field.reader.readWhole(text)
        }
    }

    // MARK: Containers

    /// The members of an object, in the order of `names`: all of them, and no others.
    private func members(
        of json: JSONView,
        _ names: [String],
        at place: String
    ) throws(DeclineReason) -> [JSONView] {
        guard json.kind == .object else { throw DeclineReason(.schema, "'\(place)' is not an object") }
        var found = [JSONView?](repeating: nil, count: names.count)
        for (key, value) in json.members {
            guard let index = names.firstIndex(of: key) else {
                throw DeclineReason(.schema, "'\(place)' has a property '\(AnswerJudge.shown(key))' too many")
            }
            guard found[index] == nil else { throw DeclineReason(.schema, "'\(place)' has '\(key)' twice") }
            found[index] = value
        }
        if let missing = found.firstIndex(where: { $0 == nil }) {
            throw DeclineReason(.schema, "'\(place)' lacks '\(names[missing])'")
        }
        return found.compactMap { $0 }
    }

    private func elements(of json: JSONView, at place: String) throws(DeclineReason) -> [JSONView] {
        guard json.kind == .array else { throw DeclineReason(.schema, "'\(place)' is not an array") }
        return Array(json.elements)
    }
}
