import Model

/// The section `records`. Names become tables and columns, so they must be safe identifiers in every database.
extension PipelineDecoder {
    private static let fixedColumns: Set<String> = [
        "message_id", "ordinal", "position", "parser", "parser_version", "source", "parsed_at",
    ]
    private static let fixedTables: Set<String> = ["messages", "fetch_cursors", "dead_letters", "chaffinch_schema"]
    /// What the databases and Chaffinch itself begin their own tables with.
    private static let fixedPrefixes = ["chaffinch_", "sqlite_", "pg_"]
    /// Postgres cuts longer identifiers (its manual, section 4.1.1).
    private static let longestIdentifier = 63

    mutating func records(_ node: YAMLNode?) -> [RecordType] {
        guard let node, let map = section(node, "'records'", path: "records", shape: "records") else { return [] }
        var tables: [String: String] = [:]
        return (map.map.node.mapping ?? []).map { pair in
            checkTable(pair.name, of: "record '\(pair.name)'", at: pair.key, tables: &tables)
            return record(pair, tables: &tables)
        }
    }

    private mutating func record(_ pair: YAMLPair, tables: inout [String: String]) -> RecordType {
        let name = pair.name
        var type = RecordType(name: name, fields: [])
        let path = "records.\(name)"
        guard var section = section(pair.value, "record '\(name)'", path: path, shape: "records.*") else { return type }
        if let node = section.map.required("fields", &diagnostics) {
            type.fields = fields(node, path: "\(path).fields", shape: "records.*.fields.*")
        }
        if let node = section.map.optional("lists"), let lists = mapping(node, "\(path).lists") {
            type.lists = lists.map { list($0, of: type, path: "\(path).lists.\($0.name)", tables: &tables) }
        }
        if let node = section.map.optional("check"), let checks = list(node, "\(path).check") {
            let texts = checks.filter { text($0, "\(path).check") != nil }
            type.checks = texts.compactMap(\.scalar)
            recordChecks[name] = texts
        }
        finish(section)
        return type
    }

    private mutating func list(
        _ pair: YAMLPair,
        of record: RecordType,
        path: String,
        tables: inout [String: String]
    ) -> ListType {
        let what = "list '\(pair.name)'"
        if record.field(named: pair.name) != nil {
            diagnostics.error("\(what) has the name of a field of '\(record.name)'", at: pair.key)
        }
        if checkIdentifier(pair.name, what: what, at: pair.key) {
            let table = "\(record.name)_\(pair.name)"
            checkTable(table, of: "the table of \(what)", at: pair.key, tables: &tables)
        }
        return ListType(name: pair.name, fields: fields(pair.value, path: path, shape: "records.*.lists.*.*"))
    }

    private mutating func fields(_ node: YAMLNode, path: String, shape: String) -> [FieldType] {
        guard let pairs = mapping(node, path) else { return [] }
        if pairs.isEmpty { diagnostics.error("'\(path)' has no fields", at: node) }
        return pairs.compactMap { field($0, path: "\(path).\($0.name)", shape: shape) }
    }

    private mutating func field(_ pair: YAMLPair, path: String, shape: String) -> FieldType? {
        let what = "field '\(pair.name)'"
        if checkIdentifier(pair.name, what: what, at: pair.key), Self.fixedColumns.contains(pair.name) {
            diagnostics.error("\(what) has the name of a column that every record's table has", at: pair.key)
        }
        guard pair.value.mapping != nil else {
            mustBe("a map such as { type: text }", pair.value, path)
            return nil
        }
        guard var section = section(pair.value, what, path: path, shape: shape) else { return nil }
        let kind: FieldType.Kind? = section.map.required("type", &diagnostics).flatMap { choice($0, "\(path).type") }
        var field = FieldType(name: pair.name, kind: kind ?? .text)
        field.required = boolean("required", in: &section) ?? false
        let values = section.map.optional("values")
        let defaultNode = section.map.optional("default")
        if kind != nil {
            field.values = enumValues(values, of: field, section: section, path: path)
            if let defaultNode, !(field.kind == .enum && field.values.isEmpty) {
                field.defaultValue = defaultValue(defaultNode, of: field, path: "\(path).default")
            }
        }
        finish(section)
        return field
    }

    private mutating func enumValues(
        _ node: YAMLNode?,
        of field: FieldType,
        section: Section,
        path: String
    ) -> [String] {
        guard field.kind == .enum else {
            if let node { diagnostics.error("'values' is for type enum, not \(field.kind.rawValue)", at: node) }
            return []
        }
        guard let node else {
            diagnostics.error("field '\(field.name)' is an enum without 'values'", at: section.map.node)
            return []
        }
        guard let elements = list(node, "\(path).values") else { return [] }
        if elements.isEmpty { diagnostics.error("'\(path).values' is empty", at: node) }
        var seen: Set<String> = []
        return elements.compactMap { element in
            guard let value = text(element, "\(path).values") else { return nil }
            if !seen.insert(value.lowercased()).inserted {
                diagnostics.error("'\(value)' is given twice (case does not count)", at: element)
            }
            return value
        }
    }

    private mutating func defaultValue(_ node: YAMLNode, of field: FieldType, path: String) -> FieldValue? {
        if let value = FieldValue(node, of: field) { return value }
        if field.kind == .enum {
            let near = node.scalar.flatMap { nearest($0, in: field.values) }.map { "; did you mean '\($0)'?" } ?? ""
            mustBe("one of \(field.values.joined(separator: ", "))", node, path, help: near)
        } else {
            mustBe("of type \(field.kind.rawValue)", node, path)
        }
        return nil
    }

    private mutating func mustBe(_ expected: String, _ node: YAMLNode, _ path: String, help: String) {
        diagnostics.error("'\(path)' must be \(expected), not \(node.described)\(help)", at: node)
    }

    private mutating func mapping(_ node: YAMLNode, _ path: String) -> [YAMLPair]? {
        if let pairs = node.mapping { return pairs }
        mustBe("a map", node, path)
        return nil
    }

    // MARK: Identifiers

    private mutating func checkIdentifier(_ name: String, what: String, at node: YAMLNode) -> Bool {
        let first = name.first.map { ("a"..."z").contains($0) } ?? false
        let rest = name.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "_" }
        if !first || !rest {
            diagnostics.error("\(what) must be named with a-z, 0-9 and '_', starting with a letter", at: node)
            return false
        }
        if name.utf8.count > Self.longestIdentifier {
            diagnostics.error("the name of \(what) is longer than \(Self.longestIdentifier) characters", at: node)
            return false
        }
        return true
    }

    private mutating func checkTable(
        _ table: String,
        of what: String,
        at node: YAMLNode,
        tables: inout [String: String]
    ) {
        guard checkIdentifier(table, what: what, at: node) else { return }
        if Self.fixedTables.contains(table) || Self.fixedPrefixes.contains(where: table.hasPrefix) {
            diagnostics.error("\(what) would be the table '\(table)', a name that is taken", at: node)
        } else if let other = tables[table] {
            diagnostics.error("\(what) would be the table '\(table)', as is \(other)", at: node)
        }
        tables[table] = what
    }
}

extension FieldValue {
    /// A default as YAML writes it, quoted or not; `nil` when it does not suit the field. An enum's value takes the
    /// spelling of its declaration.
    fileprivate init?(_ node: YAMLNode, of field: FieldType) {
        if field.kind == .json {
            var writer = JSONWriter()
            node.write(to: &writer)
            self = .json(writer.text)
            return
        }
        guard let text = node.scalar else { return nil }
        let value: FieldValue? =
            switch field.kind {
            case .text: .text(text)
            case .integer: (node.integer ?? Int64(text)).map { .integer($0) }
            case .decimal: (node.decimal ?? ExactDecimal(text)).map { .decimal($0) }
            case .boolean: (node.boolean ?? Bool(text)).map { .boolean($0) }
            case .timestamp: Timestamp(iso8601: text).map { .timestamp($0) }
            case .enum: field.values.first { $0.lowercased() == text.lowercased() }.map { .text($0) }
            case .json: nil
            }
        guard let value else { return nil }
        self = value
    }
}

extension YAMLNode {
    /// As JSON: plain numbers with their digits, plain booleans and null as such, all else as strings.
    fileprivate func write(to writer: inout JSONWriter) {
        switch content {
        case .sequence(let elements):
            writer.array { writer in elements.forEach { $0.write(to: &writer) } }
        case .mapping(let pairs):
            writer.object { writer in
                for pair in pairs {
                    writer.key(pair.name)
                    pair.value.write(to: &writer)
                }
            }
        case .scalar(let text, _):
            if isNull {
                writer.null()
            } else if let boolean {
                writer.value(boolean)
            } else if let decimal {
                writer.raw(decimal.description.utf8)
            } else {
                writer.value(text)
            }
        }
    }
}
