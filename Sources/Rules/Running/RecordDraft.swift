internal import Model

/// A record in the making: values by their place in the record type, so that nothing is looked up by name.
struct RecordDraft {
    /// By the field's place in the record type.
    var fields: [FieldValue?]
    /// Which of `fields` were read from the text; the others are constants and defaults.
    var isRead: [Bool]
    /// By the list's place in the record type, then in the order of the text, then by the field's place.
    var lists: [[Element]]

    struct Element {
        var fields: [FieldValue?]
        var isRead: [Bool]
    }

    init(_ type: RecordType) {
        fields = Array(repeating: nil, count: type.fields.count)
        isRead = Array(repeating: false, count: type.fields.count)
        lists = Array(repeating: [], count: type.lists.count)
    }

    /// Gives every absent field its default.
    mutating func fillDefaults(_ type: RecordType) {
        for index in type.fields.indices where fields[index] == nil { fields[index] = type.fields[index].defaultValue }
        for list in type.lists.indices {
            let types = type.lists[list].fields
            for element in lists[list].indices {
                for index in types.indices where lists[list][element].fields[index] == nil {
                    lists[list][element].fields[index] = types[index].defaultValue
                }
            }
        }
    }

    /// Whether the two say the same, wherever each value came from.
    func hasSameValues(as other: RecordDraft) -> Bool {
        fields == other.fields
            && lists.elementsEqual(other.lists) { $0.map(\.fields) == $1.map(\.fields) }
    }

    /// The finished record; lists without elements are left out.
    func record(_ type: RecordType) -> Record {
        var record = Record(type: type.name)
        record.fields = Self.named(fields, type.fields)
        for index in lists.indices where !lists[index].isEmpty {
            let list = type.lists[index]
            record.lists.append(
                Record.NamedList(list.name, lists[index].map { Self.named($0.fields, list.fields) })
            )
        }
        return record
    }

    private static func named(_ values: [FieldValue?], _ types: [FieldType]) -> [Record.NamedValue] {
        var named: [Record.NamedValue] = []
        named.reserveCapacity(values.count)
        for index in values.indices {
            if let value = values[index] { named.append(Record.NamedValue(types[index].name, value)) }
        }
        return named
    }
}
