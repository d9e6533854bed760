internal import Model
internal import PipelineFile

/// What the entries of one rule file have in common.
struct EntryContext {
    let engine: RuleEngine
    let record: RecordType
    let numbers: NumberReader
    /// Of the template engine.
    var shapes: [Extractor.Shape] = []
}

/// `fields:`.
extension RuleFileReader {
    mutating func readFields(
        _ node: YAMLNode?,
        _ context: EntryContext,
        under root: YAMLNode
    ) -> [Extractor.FieldRule] {
        let record = context.record
        guard let node else {
            if context.engine != .template { diagnostics.error("a rule file has no 'fields'", at: root) }
            return []
        }
        guard let pairs = node.mapping else {
            diagnostics.error("'fields' must be a map, not \(node.described)", at: node)
            return []
        }
        var rules: [Extractor.FieldRule] = []
        for pair in pairs {
            guard let index = record.fields.firstIndex(where: { $0.name == pair.name }) else {
                reportUnknown("field", pair.key, known: record.fields.map(\.name), in: "record '\(record.name)'")
                continue
            }
            let field = record.fields[index]
            let sources =
                context.engine == .template
                ? readTemplateField(pair.value, of: field) : readSources(pair.value, of: field, context)
            guard !sources.isEmpty else { continue }
            rules.append(
                Extractor.FieldRule(
                    index: index,
                    name: field.name,
                    isRequired: field.required && field.defaultValue == nil,
                    sources: sources
                )
            )
        }
        for field in record.fields where field.required && field.defaultValue == nil && context.engine != .template {
            if !pairs.contains(where: { $0.name == field.name }) {
                diagnostics.error("'fields' has no '\(field.name)', which record '\(record.name)' requires", at: node)
            }
        }
        return rules
    }

    private mutating func readSources(
        _ node: YAMLNode,
        of field: FieldType,
        _ context: EntryContext
    ) -> [Extractor.FieldSource] {
        var sources: [Extractor.FieldSource] = []
        let entries = node.elements
        if entries.isEmpty { diagnostics.error("'\(field.name)' has no patterns", at: node) }
        for (position, entry) in entries.enumerated() {
            guard let source = readSource(entry, of: field, context) else { continue }
            sources.append(source)
            if case .constant = source, position + 1 < entries.count {
                diagnostics.error("nothing after a constant is ever tried; put it last", at: entry)
            }
        }
        return sources
    }

    private mutating func readSource(
        _ node: YAMLNode,
        of field: FieldType,
        _ context: EntryContext
    ) -> Extractor.FieldSource? {
        guard var map = MappingReader(node, what: "an entry of '\(field.name)'", diagnostics: &diagnostics) else {
            return nil
        }
        let originKey = context.engine.originKey
        let originNode = originKey.flatMap { map.optional($0) }
        let match = map.optional("match")
        let value = map.optional("value")
        let modifiers = readModifiers(&map)
        map.finish(&diagnostics)
        if let value {
            let others = [(originKey ?? "", originNode), ("match", match)] + modifiers.named
            for (key, other) in others {
                if let other { diagnostics.error("a constant 'value' stands alone, without '\(key)'", at: other) }
            }
            return ConstantReader.read(value, as: field, &diagnostics).map { .constant($0) }
        }
        guard originNode != nil || originKey == nil && match != nil else {
            diagnostics.error("an entry of '\(field.name)' needs a '\(originKey ?? "match")' or a 'value'", at: node)
            return nil
        }
        let reader = readReader(modifiers, of: field, numbers: context.numbers)
        let origin = originNode.flatMap { readOrigin($0, engine: context.engine) }
        if originNode != nil && origin == nil { return nil }
        guard let match else { return origin.map { .value($0, nil, reader) } }
        guard let pattern = patterns.compile(match, &diagnostics) else { return nil }
        let names = pattern.groupNames.filter { !$0.hasPrefix("_") }
        guard names == ["value"] else {
            reportGroups(match, found: names, expected: "one named group, '(?<value>…)'")
            return nil
        }
        let groups = pattern.groups(named: "value")
        guard let origin else { return .pattern(pattern, groups: groups, reader) }
        return .value(origin, Extractor.Selection(pattern: pattern, groups: groups), reader)
    }

    /// Where an entry takes its value from: `key:` or `path:`.
    mutating func readOrigin(_ node: YAMLNode, engine: RuleEngine) -> ValueOrigin? {
        if engine != .pairs { return readPath(node, engine: engine).map { .path($0) } }
        let names = node.texts("'key'", &diagnostics).map(\.text)
        if node.sequence?.isEmpty == true { diagnostics.error("'key' names no key", at: node) }
        for (text, node) in node.texts("'key'", &diagnostics)
        where KeyNames.canonical(text).isEmpty && Glob(text).isLiteral {
            diagnostics.error("a key has a letter or a digit, and '\(text)' has none", at: node)
        }
        return names.isEmpty ? nil : .keys(KeyNames(names))
    }

    mutating func readPath(_ node: YAMLNode, engine: RuleEngine) -> ValuePath? {
        guard let text = node.scalar, !text.isEmpty else {
            diagnostics.error("a path is a text, not \(node.described)", at: node)
            return nil
        }
        do {
            return engine == .embed ? try ValuePath.embed(text) : try ValuePath.json(text)
        } catch {
            diagnostics.error(error.message, file: node.file, mark: node.mark(atScalarOffset: error.offset))
            return nil
        }
    }

    // MARK: What is made of a value

    /// The clauses that say how a value is read.
    struct Modifiers {
        var mapping: YAMLNode?
        var decimal: YAMLNode?
        var remove: YAMLNode?
        var letterCase: YAMLNode?

        var named: [(String, YAMLNode?)] {
            [("map", mapping), ("decimal", decimal), ("remove", remove), ("case", letterCase)]
        }
    }

    mutating func readModifiers(_ map: inout MappingReader) -> Modifiers {
        Modifiers(
            mapping: map.optional("map"),
            decimal: map.optional("decimal"),
            remove: map.optional("remove"),
            letterCase: map.optional("case")
        )
    }

    mutating func readReader(_ modifiers: Modifiers, of field: FieldType, numbers: NumberReader) -> ValueReader {
        readMapping(
            modifiers.mapping,
            of: field,
            for: ValueReader(field: field, numbers: readDecimal(modifiers.decimal, default: numbers))
                .with(
                    edit: .read(
                        remove: modifiers.remove,
                        letterCase: modifiers.letterCase,
                        of: field.name,
                        &diagnostics
                    )
                )
        )
    }

    /// A `map:` of one field, typed.
    mutating func readMapping(_ node: YAMLNode?, of field: FieldType, for reader: ValueReader) -> ValueReader {
        guard let node else { return reader }
        guard let pairs = node.mapping else {
            diagnostics.error("'map' must be a map, not \(node.described)", at: node)
            return reader
        }
        var values: [String: FieldValue] = [:]
        for pair in pairs {
            guard let value = ConstantReader.read(pair.value, as: field, &diagnostics) else { continue }
            if values.updateValue(value, forKey: pair.name.lowercased()) != nil {
                diagnostics.error("'\(pair.name)' stands twice in this map; case does not count", at: pair.key)
            }
        }
        return reader.with(mapping: values)
    }

    // MARK: What is wrong

    func unknown(_ kind: String, _ name: String, known: [String], in place: String) -> String {
        let help =
            if let near = nearest(name, in: known) {
                "; did you mean '\(near)'?"
            } else {
                known.isEmpty ? "" : "; it has \(known.joined(separator: ", "))"
            }
        return "\(place) has no \(kind) '\(name)'\(help)"
    }

    mutating func reportUnknown(_ kind: String, _ key: YAMLNode, known: [String], in place: String) {
        diagnostics.error(unknown(kind, key.scalar ?? "", known: known, in: place), at: key)
    }

    mutating func reportGroups(
        _ match: YAMLNode,
        found: [String],
        expected: String,
        known: [String] = ["value"]
    ) {
        let list = found.isEmpty ? "none" : found.map { "'\($0)'" }.joined(separator: ", ")
        var message = "the pattern needs \(expected); it has \(list)"
        if let wrong = found.first(where: { !known.contains($0) }), let near = nearest(wrong, in: known) {
            message += "; did you mean '\(near)' for '\(wrong)'?"
        }
        diagnostics.error(message, at: match)
    }
}
