internal import Model

/// Writes labelled records, and those that rules made, as lines that can be compared.
struct TruthOutline {
    let type: RecordType
    /// `nil` where no line labels a record of this type: then all of it counts.
    let parts: LabelledParts?
    let ignored: Set<String>

    func lines(_ record: TruthRecord, number: Int) -> [String] {
        var lines = [heading(number)]
        for index in type.fields.indices where counts(index) {
            if let value = record.fields[index] ?? nil { lines.append(line(index, value)) }
        }
        for list in type.lists.indices where countsList(list) {
            if let elements = record.lists[list] {
                lines += elements.enumerated().map { place, element in
                    line(list, place, type.lists[list].fields.indices.map { element[$0] })
                }
            } else {
                lines += groups(of: list).compactMap { group in record.groups[group].flatMap { line(group, $0) } }
            }
        }
        return lines
    }

    /// A record that was made; `label` is the one expected in its place.
    func lines(_ draft: RecordDraft, number: Int, beside label: TruthRecord?) -> [String] {
        var lines = [heading(number)]
        for index in type.fields.indices where counts(index) {
            let isNamed = label?.fields[index] != nil
            if let value = draft.fields[index], isNamed || draft.isRead[index] { lines.append(line(index, value)) }
        }
        for list in type.lists.indices where countsList(list) {
            if let elements = label?.lists[list] {
                lines += draft.lists[list].enumerated().map { place, element in
                    let named = place < elements.count ? elements[place] : [:]
                    return line(
                        list,
                        place,
                        element.fields.indices.map { field in
                            named[field] != nil || element.isRead[field] ? element.fields[field] : nil
                        }
                    )
                }
            } else if parts.map({ !$0.groups.contains { $0.list == list } }) ?? true {
                lines += draft.lists[list].enumerated().map { line(list, $0, $1.fields) }
            } else {
                lines += groups(of: list).compactMap { line($0, values($0, of: draft)) }
            }
        }
        return lines
    }

    /// Every value of a group's enum, so that an element no label speaks of is seen too.
    private func groups(of list: Int) -> [ListGroup] {
        guard let any = parts?.groups.first(where: { $0.list == list }) else { return [] }
        return type.lists[list].fields[any.selector].values.map { value in
            var group = any
            group.value = value
            return group
        }
    }

    private func values(_ group: ListGroup, of draft: RecordDraft) -> [FieldValue] {
        draft.lists[group.list].filter { $0.fields[group.selector] == .text(group.value) }
            .compactMap { $0.fields[group.field] }
    }

    private func counts(_ field: Int) -> Bool {
        !ignored.contains(type.fields[field].name) && parts?.fields.contains(field) ?? true
    }

    private func countsList(_ list: Int) -> Bool {
        !ignored.contains(type.lists[list].name) && parts?.lists.contains(list) ?? true
    }

    private func heading(_ number: Int) -> String { "record \(number)" }

    private func line(_ field: Int, _ value: FieldValue) -> String {
        "  \(type.fields[field].name): \(RecordOutline.shown(value))"
    }

    private func line(_ list: Int, _ place: Int, _ values: [FieldValue?]) -> String {
        let fields = type.lists[list].fields
        let named = values.enumerated().compactMap { index, value in
            value.map { "\(fields[index].name): \(RecordOutline.shown($0))" }
        }
        return "  \(type.lists[list].name) \(place + 1): \(named.joined(separator: ", "))"
    }

    private func line(_ group: ListGroup, _ values: [FieldValue]) -> String? {
        guard !values.isEmpty else { return nil }
        return "  \(type.lists[group.list].name).\(group.value): "
            + values.map(RecordOutline.shown).joined(separator: ", ")
    }
}
