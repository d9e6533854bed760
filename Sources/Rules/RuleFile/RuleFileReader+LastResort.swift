internal import Model
internal import PipelineFile

/// What a file of `engine: openai` says beside its head: `instructions:`, and under `fields:` and `lists:` how quotes
/// are read. Fields that are not named there are asked for and read as they stand.
extension RuleFileReader {
    mutating func readLastResort(_ map: inout MappingReader) -> (LastResortRule, RuleHead)? {
        let head = readHead(&map, engine: .openai)
        let numbers = readDecimal(map.optional("decimal"))
        let instructions = map.optional("instructions")
        let fieldsNode = map.optional("fields")
        let listsNode = map.optional("lists")
        map.finish(&diagnostics)
        if let instructions, instructions.scalar == nil {
            diagnostics.error("'instructions' is a text, not \(instructions.described)", at: instructions)
        }
        guard let head else { return nil }
        let record = head.record
        let fields = readSlots(fieldsNode, of: record.fields, in: "record '\(record.name)'", numbers)
        let lists = readListSlots(listsNode, of: record, numbers)
        let rule = LastResortRule(
            head: head,
            file: file.name,
            version: ContentHash.of(file.text),
            instructions: instructions?.scalar ?? "",
            fields: fields,
            lists: lists,
            recordChecks: recordChecks[record.name] ?? []
        )
        if (fields + lists.joined()).allSatisfy({ $0.reader == nil }) {
            diagnostics.error("every field is a constant, so there is nothing to ask", at: fieldsNode ?? map.node)
        }
        reportShutOut(head)
        return (rule, head)
    }

    private mutating func readListSlots(
        _ node: YAMLNode?,
        of record: RecordType,
        _ numbers: NumberReader
    ) -> [[LastResortRule.Slot]] {
        if let node, node.mapping == nil {
            diagnostics.error("'lists' must be a map, not \(node.described)", at: node)
        }
        for pair in node?.mapping ?? [] where record.list(named: pair.name) == nil {
            reportUnknown("list", pair.key, known: record.lists.map(\.name), in: "record '\(record.name)'")
        }
        return record.lists.map { list in
            readSlots(node?.value(list.name), of: list.fields, in: "list '\(list.name)'", numbers)
        }
    }

    private mutating func readSlots(
        _ node: YAMLNode?,
        of types: [FieldType],
        in place: String,
        _ numbers: NumberReader
    ) -> [LastResortRule.Slot] {
        if let node, node.mapping == nil {
            diagnostics.error("this must be a map of fields, not \(node.described)", at: node)
        }
        for pair in node?.mapping ?? [] where !types.contains(where: { $0.name == pair.name }) {
            reportUnknown("field", pair.key, known: types.map(\.name), in: place)
        }
        return types.map { type in
            node?.value(type.name).flatMap { readSlot($0, of: type, numbers) }
                ?? .asked(ValueReader(field: type, numbers: numbers))
        }
    }

    private mutating func readSlot(
        _ node: YAMLNode,
        of type: FieldType,
        _ numbers: NumberReader
    ) -> LastResortRule.Slot? {
        guard var map = MappingReader(node, what: "'\(type.name)'", diagnostics: &diagnostics) else { return nil }
        let value = map.optional("value")
        let modifiers = readModifiers(&map)
        map.finish(&diagnostics)
        guard let value else { return .asked(readReader(modifiers, of: type, numbers: numbers)) }
        for (key, other) in modifiers.named {
            if let other { diagnostics.error("a constant 'value' stands alone, without '\(key)'", at: other) }
        }
        return ConstantReader.read(value, as: type, &diagnostics).map { .constant($0) }
    }

    /// What a model makes of an example cannot be known here; that it would never be asked can.
    private mutating func reportShutOut(_ head: RuleHead) {
        guard let gate = head.gate else { return }
        let normalizer = Normalizer(head.normalization)
        for example in head.examples {
            guard case .records = example.expectation, !gate.admits(normalizer.normalize(example.text).searchable)
            else { continue }
            diagnostics.error("the gate shuts out example \(example.number)", at: example.node)
        }
    }
}
