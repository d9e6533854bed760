internal import Model
internal import PipelineFile

/// `examples:`.
extension RuleFileReader {
    mutating func readExamples(_ node: YAMLNode, of record: RecordType, engine: RuleEngine) -> [RuleExample] {
        guard let nodes = node.sequence else {
            diagnostics.error("'examples' must be a list, not \(node.described)", at: node)
            return []
        }
        return nodes.enumerated().compactMap { index, node in
            readExample(node, number: index + 1, of: record, engine)
        }
    }

    private mutating func readExample(
        _ node: YAMLNode,
        number: Int,
        of record: RecordType,
        _ engine: RuleEngine
    ) -> RuleExample? {
        guard var map = MappingReader(node, what: "an example", diagnostics: &diagnostics) else { return nil }
        if engine == .embed { return readEmbedExample(&map, number: number, of: record) }
        let text = map.required("text", &diagnostics)
        let expect = map.required("expect", &diagnostics)
        map.finish(&diagnostics)
        if let text, text.scalar == nil { diagnostics.error("'text' is a text, not \(text.described)", at: text) }
        guard let text = text?.scalar, let expect, let expectation = readExpectation(expect, of: record) else {
            return nil
        }
        return RuleExample(number: number, node: node, text: text, expectation: expectation)
    }

    private mutating func readEmbedExample(
        _ map: inout MappingReader,
        number: Int,
        of record: RecordType
    ) -> RuleExample? {
        let embeds = map.required("embeds", &diagnostics)
        let expect = map.required("expect", &diagnostics)
        map.finish(&diagnostics)
        guard let embeds, let document = ExampleEmbeds.document(embeds, &diagnostics), let expect,
            let expectation = readExpectation(expect, of: record)
        else { return nil }
        let text = EmbedText.flatten(document.root) ?? ""
        return RuleExample(number: number, node: map.node, text: text, embeds: document, expectation: expectation)
    }

    private mutating func readExpectation(_ node: YAMLNode, of record: RecordType) -> RuleExample.Expectation? {
        if node.scalar == "none" { return RuleExample.Expectation.none }
        guard let nodes = node.sequence, !nodes.isEmpty else {
            diagnostics.error("'expect' is 'none' or a list of records, not \(node.described)", at: node)
            return nil
        }
        var expected: [ExpectedRecord] = []
        for node in nodes {
            if let one = readExpectedRecord(node, of: record) { expected.append(one) }
        }
        return .records(expected)
    }

    private mutating func readExpectedRecord(_ node: YAMLNode, of record: RecordType) -> ExpectedRecord? {
        guard let pairs = node.mapping else {
            diagnostics.error("an expected record is a map, not \(node.described)", at: node)
            return nil
        }
        var expected = ExpectedRecord(fields: [], lists: [])
        for pair in pairs {
            if let index = record.lists.firstIndex(where: { $0.name == pair.name }) {
                let elements = readExpectedElements(pair.value, of: record.lists[index])
                expected.lists.append(ExpectedRecord.ExpectedList(list: index, elements: elements))
            } else if record.field(named: pair.name) != nil {
                if let value = readExpectedValue(pair, among: record.fields) { expected.fields.append(value) }
            } else {
                let known = record.fields.map(\.name) + record.lists.map(\.name)
                reportUnknown("field or list", pair.key, known: known, in: "record '\(record.name)'")
            }
        }
        return expected
    }

    private mutating func readExpectedElements(
        _ node: YAMLNode,
        of list: ListType
    ) -> [[ExpectedRecord.ExpectedValue]] {
        guard let nodes = node.sequence else {
            diagnostics.error("'\(list.name)' is a list, not \(node.described)", at: node)
            return []
        }
        return nodes.map { node in
            guard let pairs = node.mapping else {
                diagnostics.error("an element of '\(list.name)' is a map, not \(node.described)", at: node)
                return []
            }
            return pairs.compactMap { pair in
                guard list.field(named: pair.name) != nil else {
                    reportUnknown("field", pair.key, known: list.fields.map(\.name), in: "list '\(list.name)'")
                    return nil
                }
                return readExpectedValue(pair, among: list.fields)
            }
        }
    }

    private mutating func readExpectedValue(
        _ pair: YAMLPair,
        among fields: [FieldType]
    ) -> ExpectedRecord.ExpectedValue? {
        guard let index = fields.firstIndex(where: { $0.name == pair.name }) else { return nil }
        if pair.value.isNull { return ExpectedRecord.ExpectedValue(field: index, value: nil) }
        return ConstantReader.read(pair.value, as: fields[index], &diagnostics)
            .map { ExpectedRecord.ExpectedValue(field: index, value: $0) }
    }
}
