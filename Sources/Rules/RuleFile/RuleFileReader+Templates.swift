internal import Model
internal import PipelineFile

/// `template:`, and what `fields:` means beside it.
extension RuleFileReader {
    /// Reads `template:`, one or several, into the context's shapes.
    mutating func readTemplates(_ node: YAMLNode, fields: YAMLNode?, _ context: inout EntryContext) {
        let record = context.record
        let entries = fields?.mapping ?? []
        let mappings = entries.compactMap { pair in pair.value.value("map").map { (pair.name, $0) } }
        let words = words(Dictionary(mappings, uniquingKeysWith: { first, _ in first }))
        if node.sequence?.isEmpty == true { diagnostics.error("'template' has no template", at: node) }
        var taken: Set<Int> = []
        for node in node.elements {
            guard let (pattern, placeholders) = compileTemplate(node, fields: record.fields, words: words) else {
                continue
            }
            let certain = placeholders.filter(\.isCertain).map(\.field)
            for (index, field) in record.fields.enumerated()
            where field.required && field.defaultValue == nil && !certain.contains(index) {
                let isConstant = entries.contains { $0.name == field.name && $0.value.value("value") != nil }
                guard !isConstant else { continue }
                diagnostics.error(
                    "the template lacks '{\(field.name)}', which record '\(record.name)' requires; "
                        + "put it in, or give 'fields' a 'value' for it",
                    at: node
                )
            }
            taken.formUnion(placeholders.map(\.field))
            let captures = placeholders.map { placeholder in
                Extractor.Capture(
                    field: placeholder.field,
                    groups: pattern.groups(named: TemplateReader.groupName(placeholder.field)),
                    reader: reader(of: record.fields[placeholder.field], entries, context.numbers)
                )
            }
            context.shapes.append(
                Extractor.Shape(pattern: pattern, written: node.scalar ?? "", captures: captures)
            )
        }
        for pair in entries where pair.value.value("value") == nil {
            guard let index = record.fields.firstIndex(where: { $0.name == pair.name }), !taken.contains(index) else {
                continue
            }
            diagnostics.error("no template has '{\(pair.name)}'", at: pair.key)
        }
    }

    /// What `fields:` adds to a placeholder is read with the templates; what is left are constants, for where no
    /// placeholder gives a value.
    mutating func readTemplateField(_ node: YAMLNode, of field: FieldType) -> [Extractor.FieldSource] {
        guard var map = MappingReader(node, what: "an entry of '\(field.name)'", diagnostics: &diagnostics) else {
            return []
        }
        let value = map.optional("value")
        let modifiers = readModifiers(&map)
        map.finish(&diagnostics)
        _ = readReader(modifiers, of: field, numbers: NumberReader())
        guard let value else { return [] }
        return ConstantReader.read(value, as: field, &diagnostics).map { [.constant($0)] } ?? []
    }

    /// `nil`, with an error at its place, for what is no template.
    mutating func compileTemplate(
        _ node: YAMLNode,
        fields: [FieldType],
        words: [String: [String]]
    ) -> (Pattern, [(field: Int, isCertain: Bool)])? {
        guard let text = node.scalar, !text.isEmpty else {
            diagnostics.error("a template is a text, not \(node.described)", at: node)
            return nil
        }
        // A block of YAML ends in a line break that is no part of what it shows.
        let lines = text.hasSuffix("\n") ? String(text.dropLast()) : text
        var reader = TemplateReader(lines, fields: fields, words: words)
        do {
            let source = try reader.pattern()
            return (try patterns.compile(made: source, at: node), reader.placeholders)
        } catch let problem as TemplateReader.Problem {
            diagnostics.error(problem.message, file: node.file, mark: node.mark(atScalarOffset: problem.offset))
        } catch {
            diagnostics.error("the template cannot be used: \(error)", at: node)
        }
        return nil
    }

    /// The words that each field's `map:` knows.
    func words(_ mappings: [String: YAMLNode]) -> [String: [String]] {
        mappings.compactMapValues { $0.mapping?.map(\.name) }
    }

    private mutating func reader(of field: FieldType, _ entries: [YAMLPair], _ numbers: NumberReader) -> ValueReader {
        guard let node = entries.first(where: { $0.name == field.name })?.value, node.mapping != nil else {
            return ValueReader(field: field, numbers: numbers)
        }
        let modifiers = Modifiers(
            mapping: node.value("map"),
            decimal: node.value("decimal"),
            remove: node.value("remove"),
            letterCase: node.value("case")
        )
        return readReader(modifiers, of: field, numbers: numbers)
    }
}
