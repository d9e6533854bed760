internal import Model

/// Writes records as lines that can be compared, one a field.
///
/// What an example does not name counts only when it was read from the text: constants and defaults may be left out
/// of an example, a value out of nowhere may not.
struct RecordOutline {
    let type: RecordType

    func lines(_ record: ExpectedRecord, number: Int) -> [String] {
        var lines = ["record \(number)"]
        for index in type.fields.indices {
            guard let expected = record.fields.first(where: { $0.field == index }) else { continue }
            if let value = expected.value { lines.append("  \(type.fields[index].name): \(Self.shown(value))") }
        }
        for index in type.lists.indices {
            let elements = record.lists.first { $0.list == index }?.elements ?? []
            for (place, element) in elements.enumerated() {
                let values = type.lists[index].fields.enumerated().compactMap { field, fieldType in
                    element.first { $0.field == field }?.value.map { "\(fieldType.name): \(Self.shown($0))" }
                }
                lines.append("  \(type.lists[index].name) \(place + 1): \(values.joined(separator: ", "))")
            }
        }
        return lines
    }

    /// A record that was made; `records` are those expected.
    func lines(_ draft: RecordDraft, number: Int, beside records: [ExpectedRecord]) -> [String] {
        let expected = number <= records.count ? records[number - 1] : nil
        var lines = ["record \(number)"]
        for (index, field) in type.fields.enumerated() {
            guard let value = draft.fields[index] else { continue }
            let isNamed = expected?.fields.contains { $0.field == index } ?? true
            if isNamed || draft.isRead[index] { lines.append("  \(field.name): \(Self.shown(value))") }
        }
        for (index, list) in type.lists.enumerated() {
            let named = expected?.lists.first { $0.list == index }?.elements ?? []
            for (place, element) in draft.lists[index].enumerated() {
                let beside = place < named.count ? named[place] : nil
                let values = list.fields.enumerated().compactMap { field, fieldType -> String? in
                    guard let value = element.fields[field] else { return nil }
                    let isNamed = beside?.contains { $0.field == field } ?? true
                    return isNamed || element.isRead[field] ? "\(fieldType.name): \(Self.shown(value))" : nil
                }
                lines.append("  \(list.name) \(place + 1): \(values.joined(separator: ", "))")
            }
        }
        return lines
    }

    static func shown(_ value: FieldValue) -> String {
        switch value {
        case .text(let text): text
        case .integer(let number): number.description
        case .decimal(let number): number.description
        case .boolean(let value): value.description
        case .timestamp(let instant): instant.iso8601
        case .json(let text): text
        }
    }
}
