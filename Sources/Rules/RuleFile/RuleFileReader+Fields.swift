internal import Model
internal import PipelineFile

/// `fields:` and `lists:` of the regex engine.
extension RuleFileReader {
    // MARK: Fields

    mutating func readFields(
        _ node: YAMLNode?,
        of record: RecordType,
        numbers: NumberReader,
        under root: YAMLNode
    ) -> [RegexEngine.FieldRule] {
        guard let node else {
            diagnostics.error("a rule file has no 'fields'", at: root)
            return []
        }
        guard let pairs = node.mapping else {
            diagnostics.error("'fields' must be a map, not \(node.described)", at: node)
            return []
        }
        var rules: [RegexEngine.FieldRule] = []
        for pair in pairs {
            guard let index = record.fields.firstIndex(where: { $0.name == pair.name }) else {
                reportUnknown("field", pair.key, known: record.fields.map(\.name), in: "record '\(record.name)'")
                continue
            }
            let field = record.fields[index]
            let sources = readSources(pair.value, of: field, numbers: numbers)
            rules.append(
                RegexEngine.FieldRule(
                    index: index,
                    name: field.name,
                    isRequired: field.required && field.defaultValue == nil,
                    sources: sources
                )
            )
        }
        for field in record.fields where field.required && field.defaultValue == nil {
            if !pairs.contains(where: { $0.name == field.name }) {
                diagnostics.error("'fields' has no '\(field.name)', which record '\(record.name)' requires", at: node)
            }
        }
        return rules
    }

    private mutating func readSources(
        _ node: YAMLNode,
        of field: FieldType,
        numbers: NumberReader
    ) -> [RegexEngine.FieldSource] {
        var sources: [RegexEngine.FieldSource] = []
        let entries = node.elements
        if entries.isEmpty { diagnostics.error("'\(field.name)' has no patterns", at: node) }
        for (position, entry) in entries.enumerated() {
            guard let source = readSource(entry, of: field, numbers: numbers) else { continue }
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
        numbers: NumberReader
    ) -> RegexEngine.FieldSource? {
        guard var map = MappingReader(node, what: "an entry of '\(field.name)'", diagnostics: &diagnostics) else {
            return nil
        }
        let match = map.optional("match")
        let value = map.optional("value")
        let mapping = map.optional("map")
        let decimal = map.optional("decimal")
        let remove = map.optional("remove")
        let letterCase = map.optional("case")
        map.finish(&diagnostics)
        if let value {
            let others = [
                ("match", match), ("map", mapping), ("decimal", decimal), ("remove", remove), ("case", letterCase),
            ]
            for (key, other) in others {
                if let other { diagnostics.error("a constant 'value' stands alone, without '\(key)'", at: other) }
            }
            return ConstantReader.read(value, as: field, &diagnostics).map { .constant($0) }
        }
        guard let match else {
            diagnostics.error("an entry of '\(field.name)' needs a 'match' or a 'value'", at: node)
            return nil
        }
        let reader = readMapping(
            mapping,
            of: field,
            for: ValueReader(field: field, numbers: readDecimal(decimal, default: numbers))
                .with(edit: .read(remove: remove, letterCase: letterCase, of: field.name, &diagnostics))
        )
        guard let pattern = patterns.compile(match, &diagnostics) else { return nil }
        let names = pattern.groupNames.filter { !$0.hasPrefix("_") }
        guard names == ["value"] else {
            reportGroups(match, found: names, expected: "one named group, '(?<value>…)'")
            return nil
        }
        return .pattern(pattern, groups: pattern.groups(named: "value"), reader)
    }

    /// A `map:` of one field, typed.
    private mutating func readMapping(_ node: YAMLNode?, of field: FieldType, for reader: ValueReader) -> ValueReader {
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

    // MARK: Lists

    mutating func readLists(
        _ node: YAMLNode,
        of record: RecordType,
        numbers: NumberReader
    ) -> [RegexEngine.ListRule] {
        guard let pairs = node.mapping else {
            diagnostics.error("'lists' must be a map, not \(node.described)", at: node)
            return []
        }
        var rules: [RegexEngine.ListRule] = []
        for pair in pairs {
            guard let index = record.lists.firstIndex(where: { $0.name == pair.name }) else {
                reportUnknown("list", pair.key, known: record.lists.map(\.name), in: "record '\(record.name)'")
                continue
            }
            let type = record.lists[index]
            var entries: [RegexEngine.ListEntry] = []
            for entry in pair.value.elements {
                if let entry = readEntry(entry, of: type, numbers: numbers) { entries.append(entry) }
            }
            rules.append(RegexEngine.ListRule(index: index, name: type.name, type: type, entries: entries))
        }
        return rules
    }

    private mutating func readEntry(
        _ node: YAMLNode,
        of list: ListType,
        numbers: NumberReader
    ) -> RegexEngine.ListEntry? {
        guard var map = MappingReader(node, what: "an entry of '\(list.name)'", diagnostics: &diagnostics) else {
            return nil
        }
        let match = map.required("match", &diagnostics)
        let set = map.optional("set")
        let mapping = map.optional("map")
        let numbers = readDecimal(map.optional("decimal"), default: numbers)
        map.finish(&diagnostics)
        let constants = readConstants(set, of: list)
        let mappings = readMappings(mapping, of: list)
        guard let match, let pattern = patterns.compile(match, &diagnostics) else { return nil }
        let names = pattern.groupNames.filter { !$0.hasPrefix("_") }
        let fields = list.fields.map(\.name)
        guard !names.isEmpty, names.allSatisfy({ fields.contains($0) }) else {
            reportGroups(
                match,
                found: names,
                expected: "groups named after the fields of '\(list.name)'",
                known: fields
            )
            return nil
        }
        var captures: [RegexEngine.Capture] = []
        for (index, field) in list.fields.enumerated() {
            let isCaptured = names.contains(field.name)
            if isCaptured, constants[index] != nil {
                diagnostics.error("'\(field.name)' is both a group and in 'set'", at: match)
            }
            if !isCaptured, mappings[field.name] != nil {
                diagnostics.error("'map' names '\(field.name)', which no group takes", at: match)
            }
            let isSet = set?.value(field.name) != nil
            if !isCaptured, !isSet, field.required, field.defaultValue == nil {
                diagnostics.error("list '\(list.name)' requires '\(field.name)': name a group or 'set' it", at: match)
            }
            guard isCaptured else { continue }
            let reader = readMapping(
                mappings[field.name],
                of: field,
                for: ValueReader(field: field, numbers: numbers)
            )
            captures.append(
                RegexEngine.Capture(field: index, groups: pattern.groups(named: field.name), reader: reader)
            )
        }
        return RegexEngine.ListEntry(pattern: pattern, captures: captures, constants: constants)
    }

    private mutating func readConstants(_ node: YAMLNode?, of list: ListType) -> [FieldValue?] {
        var constants = [FieldValue?](repeating: nil, count: list.fields.count)
        guard let node else { return constants }
        guard let pairs = node.mapping else {
            diagnostics.error("'set' must be a map, not \(node.described)", at: node)
            return constants
        }
        for pair in pairs {
            guard let index = list.fields.firstIndex(where: { $0.name == pair.name }) else {
                reportUnknown("field", pair.key, known: list.fields.map(\.name), in: "list '\(list.name)'")
                continue
            }
            constants[index] = ConstantReader.read(pair.value, as: list.fields[index], &diagnostics)
        }
        return constants
    }

    /// A `map:` of a list entry holds one map for each field: `map: { type: { SL: stop_loss } }`.
    private mutating func readMappings(_ node: YAMLNode?, of list: ListType) -> [String: YAMLNode] {
        guard let node else { return [:] }
        guard let pairs = node.mapping else {
            diagnostics.error("'map' must be a map, not \(node.described)", at: node)
            return [:]
        }
        var mappings: [String: YAMLNode] = [:]
        for pair in pairs {
            if list.field(named: pair.name) == nil {
                reportUnknown("field", pair.key, known: list.fields.map(\.name), in: "list '\(list.name)'")
            } else {
                mappings[pair.name] = pair.value
            }
        }
        return mappings
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

    private mutating func reportGroups(
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
