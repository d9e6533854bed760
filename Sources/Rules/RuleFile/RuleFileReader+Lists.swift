internal import Model
internal import PipelineFile

/// `lists:`.
extension RuleFileReader {
    mutating func readLists(_ node: YAMLNode, _ context: EntryContext) -> [Extractor.ListRule] {
        let record = context.record
        guard let pairs = node.mapping else {
            diagnostics.error("'lists' must be a map, not \(node.described)", at: node)
            return []
        }
        var rules: [Extractor.ListRule] = []
        for pair in pairs {
            guard let index = record.lists.firstIndex(where: { $0.name == pair.name }) else {
                reportUnknown("list", pair.key, known: record.lists.map(\.name), in: "record '\(record.name)'")
                continue
            }
            let type = record.lists[index]
            var entries: [Extractor.ListEntry] = []
            for entry in pair.value.elements {
                if let entry = readEntry(entry, of: type, context) { entries.append(entry) }
            }
            rules.append(Extractor.ListRule(index: index, name: type.name, type: type, entries: entries))
        }
        return rules
    }

    /// How an entry's values come to the fields of the list.
    private struct Taking {
        var pattern: Pattern?
        var written: String
        /// By the field's name, the groups or the path that give its value.
        var groups: [String: [Int]] = [:]
        var paths: [String: ValuePath] = [:]
        /// Where errors about it belong.
        var node: YAMLNode

        var names: Set<String> { Set(groups.keys).union(paths.keys) }
    }

    private mutating func readEntry(
        _ node: YAMLNode,
        of list: ListType,
        _ context: EntryContext
    ) -> Extractor.ListEntry? {
        guard var map = MappingReader(node, what: "an entry of '\(list.name)'", diagnostics: &diagnostics) else {
            return nil
        }
        let engine = context.engine
        let originNode = engine.originKey.flatMap { map.required($0, &diagnostics) }
        let takenBy: [(key: String, node: YAMLNode?)] =
            switch engine {
            case .regex, .openai: [("match", map.required("match", &diagnostics))]
            case .template: [("template", map.required("template", &diagnostics))]
            case .json:
                ["match", "field", "fields"].map { ($0, map.optional($0)) }
            case .pairs, .embed: ["match", "field"].map { ($0, map.optional($0)) }
            }
        let set = map.optional("set")
        let mapping = map.optional("map")
        let numbers = readDecimal(map.optional("decimal"), default: context.numbers)
        map.finish(&diagnostics)
        let constants = readConstants(set, of: list)
        let mappings = readMappings(mapping, of: list)
        if engine.originKey != nil, takenBy.count(where: { $0.node != nil }) != 1 {
            let keys = takenBy.map { "'\($0.key)'" }.joined(separator: " or ")
            diagnostics.error("an entry of '\(list.name)' needs one of \(keys)", at: node)
            return nil
        }
        let origin = originNode.flatMap { readOrigin($0, engine: engine) }
        guard let by = takenBy.first(where: { $0.node != nil }), let byNode = by.node,
            let taking = readTaking(by.key, byNode, of: list, mappings)
        else { return nil }
        let captures = readCaptures(taking, of: list, constants, set, mappings, numbers)
        if engine.originKey != nil && origin == nil { return nil }
        return Extractor.ListEntry(
            origin: origin ?? .text,
            pattern: taking.pattern,
            written: [origin?.written ?? "", taking.written].filter { !$0.isEmpty }.joined(separator: ", "),
            captures: captures,
            constants: constants
        )
    }

    private mutating func readTaking(
        _ key: String,
        _ node: YAMLNode,
        of list: ListType,
        _ mappings: [String: YAMLNode]
    ) -> Taking? {
        let known = list.fields.map(\.name)
        switch key {
        case "match":
            guard let pattern = patterns.compile(node, &diagnostics) else { return nil }
            let names = pattern.groupNames.filter { !$0.hasPrefix("_") }
            guard !names.isEmpty, names.allSatisfy({ known.contains($0) }) else {
                let expected = "groups named after the fields of '\(list.name)'"
                reportGroups(node, found: names, expected: expected, known: known)
                return nil
            }
            let groups = Dictionary(uniqueKeysWithValues: names.map { ($0, pattern.groups(named: $0)) })
            return Taking(pattern: pattern, written: "match " + (node.scalar ?? ""), groups: groups, node: node)
        case "template":
            guard let (pattern, placeholders) = compileTemplate(node, fields: list.fields, words: words(mappings))
            else {
                return nil
            }
            let groups = placeholders.map {
                (known[$0.field], pattern.groups(named: TemplateReader.groupName($0.field)))
            }
            return Taking(
                pattern: pattern,
                written: "template " + (node.scalar ?? ""),
                groups: Dictionary(uniqueKeysWithValues: groups),
                node: node
            )
        case "field":
            guard let name = node.scalar, known.contains(name) else {
                reportUnknown("field", node, known: known, in: "list '\(list.name)'")
                return nil
            }
            return Taking(written: "", groups: [name: []], node: node)
        default:
            guard let pairs = node.mapping else {
                diagnostics.error("'fields' must be a map of fields and paths, not \(node.described)", at: node)
                return nil
            }
            var taking = Taking(written: "", node: node)
            for pair in pairs {
                guard known.contains(pair.name) else {
                    reportUnknown("field", pair.key, known: known, in: "list '\(list.name)'")
                    continue
                }
                if let path = readPath(pair.value, engine: .json) { taking.paths[pair.name] = path }
            }
            return taking
        }
    }

    private mutating func readCaptures(
        _ taking: Taking,
        of list: ListType,
        _ constants: [FieldValue?],
        _ set: YAMLNode?,
        _ mappings: [String: YAMLNode],
        _ numbers: NumberReader
    ) -> [Extractor.Capture] {
        var captures: [Extractor.Capture] = []
        let taken = taking.names
        for (index, field) in list.fields.enumerated() {
            let isCaptured = taken.contains(field.name)
            if isCaptured, constants[index] != nil {
                diagnostics.error("'\(field.name)' is both a group and in 'set'", at: taking.node)
            }
            if !isCaptured, mappings[field.name] != nil {
                diagnostics.error("'map' names '\(field.name)', which no group takes", at: taking.node)
            }
            let isSet = set?.value(field.name) != nil
            if !isCaptured, !isSet, field.required, field.defaultValue == nil {
                diagnostics.error(
                    "list '\(list.name)' requires '\(field.name)': name a group or 'set' it",
                    at: taking.node
                )
            }
            guard isCaptured else { continue }
            let reader = readMapping(
                mappings[field.name],
                of: field,
                for: ValueReader(field: field, numbers: numbers)
            )
            captures.append(
                Extractor.Capture(
                    field: index,
                    groups: taking.groups[field.name] ?? [],
                    path: taking.paths[field.name],
                    reader: reader
                )
            )
        }
        return captures
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
}
