package import Model

/// Reads records that no rule made, such as a plugin's, and holds them to what rules' records are held to: every name
/// is declared, every value is of its kind exactly, required fields are there, defaults are filled in, and the record
/// type's checks hold.
package struct RecordReader: Sendable {
    private let layouts: [String: Layout]

    private struct Layout: Sendable {
        var type: RecordType
        var checks: [Expression]
    }

    /// - Throws: a description of the first check that does not fit its record type.
    package init(records: [RecordType]) throws {
        layouts = try records.reduce(into: [:]) { layouts, type in
            layouts[type.name] = Layout(type: type, checks: try type.checks.map { try Expression($0, record: type) })
        }
    }

    /// Why an object is no record.
    package struct Refusal: Error, Equatable, CustomStringConvertible {
        package enum Cause: Sendable { case shape, check }
        /// `check` when the record is sound in itself and its type's `check:` rejects it.
        package var cause: Cause
        package var description: String
    }

    /// Reads `{"record": …, "fields": {…}, "lists": {…: [{…}]}}`. Absent members count as empty and `null` as absent.
    ///
    /// Texts are trimmed and an empty one is absent; enums compare without case and get their declared spelling; a
    /// decimal is a JSON number, or a string that holds one, so that no digit is lost; a time is ISO 8601, in UTC where no
    /// zone is given.
    package func read(_ json: JSONView) throws(Refusal) -> Record {
        guard json.kind == .object else { throw Self.refusal("a record is a JSON object") }
        for (name, _) in json.members where !["record", "fields", "lists"].contains(name) {
            throw Self.refusal("a record has no member '\(name)', only record, fields and lists")
        }
        guard let name = json["record"]?.string else { throw Self.refusal("'record' is missing: the name of its type") }
        guard let layout = layouts[name] else {
            let known = layouts.keys.sorted().joined(separator: ", ")
            throw Self.refusal("there is no record type '\(name)'; those declared are: \(known)")
        }
        let type = layout.type
        var draft = RecordDraft(type)
        draft.fields = try fields(json["fields"], of: type.fields, in: name)
        for (listName, list) in try members(json["lists"], of: "\(name).lists") {
            guard let index = type.lists.firstIndex(where: { $0.name == listName }) else {
                throw Self.refusal("'\(name)' has no list '\(listName)'")
            }
            draft.lists[index] = try elements(list, of: type.lists[index], in: name)
        }
        draft.fillDefaults(type)
        try requireFields(of: draft, type)
        if let broken = layout.checks.first(where: { !$0.holds(for: draft) }) {
            throw Refusal(cause: .check, description: "check failed: \(broken.source)")
        }
        return draft.record(type)
    }

    private func elements(
        _ json: JSONView,
        of list: ListType,
        in record: String
    ) throws(Refusal) -> [RecordDraft.Element] {
        if json.isNull { return [] }
        let place = "\(record).\(list.name)"
        guard json.kind == .array else { throw Self.refusal("'\(place)' is not an array") }
        var elements: [RecordDraft.Element] = []
        for element in json.elements {
            guard elements.count < Extractor.longestList else {
                throw Self.refusal("'\(place)' has more than \(Extractor.longestList) elements")
            }
            let values = try fields(element, of: list.fields, in: "\(place)[\(elements.count)]")
            elements.append(
                RecordDraft.Element(fields: values, isRead: Array(repeating: false, count: values.count))
            )
        }
        return elements
    }

    /// Values by the field's place.
    private func fields(_ json: JSONView?, of types: [FieldType], in place: String) throws(Refusal) -> [FieldValue?] {
        var values = [FieldValue?](repeating: nil, count: types.count)
        for (name, value) in try members(json, of: place) {
            guard let index = types.firstIndex(where: { $0.name == name }) else {
                throw Self.refusal("'\(place)' has no field '\(name)'")
            }
            values[index] = try Self.value(value, of: types[index], in: place)
        }
        return values
    }

    /// The members of an object; a name that stands there twice is not guessed at.
    private func members(_ json: JSONView?, of place: String) throws(Refusal) -> [(key: String, value: JSONView)] {
        guard let json, !json.isNull else { return [] }
        guard json.kind == .object else { throw Self.refusal("'\(place)' is not an object") }
        var seen: Set<String> = []
        let members = Array(json.members)
        for (name, _) in members where !seen.insert(name).inserted {
            throw Self.refusal("'\(place)' has '\(name)' twice")
        }
        return members
    }

    private func requireFields(of draft: RecordDraft, _ type: RecordType) throws(Refusal) {
        for (index, field) in type.fields.enumerated() where field.required && draft.fields[index] == nil {
            throw Self.refusal("'\(type.name).\(field.name)' is required and missing")
        }
        for (number, list) in type.lists.enumerated() {
            for (position, element) in draft.lists[number].enumerated() {
                for (index, field) in list.fields.enumerated() where field.required && element.fields[index] == nil {
                    throw Self.refusal("'\(type.name).\(list.name)[\(position)].\(field.name)' is required and missing")
                }
            }
        }
    }

    private static func value(_ json: JSONView, of field: FieldType, in place: String) throws(Refusal) -> FieldValue? {
        if json.isNull { return nil }
        let value: FieldValue?
        switch field.kind {
        case .text, .enum, .timestamp:
            guard var text = json.string else { throw mismatch(json, field, place) }
            text = text.withUTF8 { String(decoding: $0.trimmed, as: UTF8.self) }
            if text.isEmpty { return nil }
            value = try? ValueReader(field: field).read(text)
        case .decimal: value = (json.numberLiteral ?? json.string).flatMap { ExactDecimal($0) }.map { .decimal($0) }
        case .integer: value = json.numberLiteral.flatMap { ExactDecimal($0)?.integer }.map { .integer($0) }
        case .boolean: value = json.boolean.map { .boolean($0) }
        case .json:
            let isText = json.kind == .array || json.kind == .object
            value = isText ? JSONCompactor.compact(String(decoding: json.raw, as: UTF8.self)).map { .json($0) } : nil
        }
        guard let value else { throw mismatch(json, field, place) }
        return value
    }

    private static func mismatch(_ json: JSONView, _ field: FieldType, _ place: String) -> Refusal {
        let expected =
            switch field.kind {
            case .text: "a string"
            case .enum: "one of \(field.values.joined(separator: ", "))"
            case .timestamp: "a string with an ISO 8601 time"
            case .decimal: "a number of at most \(ExactDecimal.maximumDigits) digits, or a string that holds one"
            case .integer: "a whole number"
            case .boolean: "true or false"
            case .json: "an array or an object"
            }
        let shown = String(decoding: json.raw.prefix(60), as: UTF8.self)
        return refusal("'\(place).\(field.name)' is \(shown), not \(expected)")
    }

    private static func refusal(_ description: String) -> Refusal { Refusal(cause: .shape, description: description) }
}
