internal import Model
internal import PipelineFile

/// Reads a value written into a rule file (`value:`, `set:`, `map:`, `expect:`) as the type of its field.
struct ConstantReader {
    /// `nil`, with an error, when the node does not fit the field.
    static func read(_ node: YAMLNode, as field: FieldType, _ diagnostics: inout Diagnostics) -> FieldValue? {
        guard let text = node.scalar, !node.isNull else {
            diagnostics.error("'\(field.name)' takes one value, not \(node.described)", at: node)
            return nil
        }
        // YAML's own notation first: it has other spellings of numbers than people use in messages.
        switch field.kind {
        case .decimal:
            if let value = node.decimal { return .decimal(value) }
        case .integer:
            if let value = node.integer { return .integer(value) }
        case .boolean:
            if let value = node.boolean { return .boolean(value) }
        case .text, .enum, .timestamp, .json: break
        }
        do {
            return try ValueReader(field: field).read(text)
        } catch {
            var message = "'\(field.name)' is of type \(field.kind.rawValue): \(error)"
            if field.kind == .enum, let near = nearest(text, in: field.values) {
                message += "; did you mean '\(near)'?"
            }
            diagnostics.error(message, at: node)
            return nil
        }
    }
}

extension YAMLNode {
    /// The elements of a list, or the node alone where a list of one is written without brackets.
    var elements: [YAMLNode] { sequence ?? [self] }

    /// Texts under a key that takes one or several.
    func texts(_ what: String, _ diagnostics: inout Diagnostics) -> [(text: String, node: YAMLNode)] {
        elements.compactMap { node in
            guard let text = node.scalar, !text.isEmpty else {
                diagnostics.error("\(what) takes texts, not \(node.described)", at: node)
                return nil
            }
            return (text, node)
        }
    }

    /// A word of a fixed choice.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ what: String,
        _ diagnostics: inout Diagnostics
    ) -> Choice? where Choice.RawValue == String {
        if let text = scalar, let choice = Choice(rawValue: text) { return choice }
        let known = Choice.allCases.map(\.rawValue)
        let near = scalar.flatMap { nearest($0, in: known) }
        let help = near.map { "did you mean '\($0)'?" } ?? "it is one of \(known.joined(separator: ", "))"
        diagnostics.error("\(what) cannot be \(described); \(help)", at: self)
        return nil
    }
}
