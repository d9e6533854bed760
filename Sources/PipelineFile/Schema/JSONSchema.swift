import Model

/// A piece of JSON Schema, as a JSON value whose members keep their order, so that the file reads top to bottom.
package indirect enum JSONSchema: Sendable {
    case text(String)
    case number(Int)
    case boolean(Bool)
    case array([JSONSchema])
    case object([(String, JSONSchema)])

    /// Indented by two, with a final newline.
    package var json: String { rendered(indent: "") + "\n" }

    private func rendered(indent: String) -> String {
        let inner = indent + "  "
        switch self {
        case .text(let text): return Self.quoted(text)
        case .number(let number): return "\(number)"
        case .boolean(let value): return "\(value)"
        case .array(let elements):
            guard !elements.isEmpty else { return "[]" }
            let isShort = elements.allSatisfy { if case .object = $0 { false } else { true } }
            if isShort { return "[" + elements.map { $0.rendered(indent: inner) }.joined(separator: ", ") + "]" }
            let lines = elements.map { inner + $0.rendered(indent: inner) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let members):
            guard !members.isEmpty else { return "{}" }
            let lines = members.map { "\(inner)\(Self.quoted($0.0)): \($0.1.rendered(indent: inner))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var writer = JSONWriter()
        writer.value(text)
        return writer.text
    }
}

extension JSONSchema: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    package init(stringLiteral value: String) { self = .text(value) }
    package init(arrayLiteral elements: JSONSchema...) { self = .array(elements) }
    package init(dictionaryLiteral members: (String, JSONSchema)...) { self = .object(members) }
}

/// The shapes that YAML files of ours are made of. `about` is what an editor shows beside the key.
extension JSONSchema {
    package func with(_ members: (String, JSONSchema)...) -> JSONSchema {
        guard case .object(let own) = self else { return self }
        return .object(own + members)
    }

    package static func reference(_ name: String, _ about: String? = nil) -> JSONSchema {
        described(about).with(("$ref", .text("#/$defs/\(name)")))
    }

    package static func described(_ about: String?) -> JSONSchema {
        .object(about.map { [("description", .text($0))] } ?? [])
    }

    /// A map with these keys and no others.
    package static func map(
        _ about: String?,
        _ properties: [(String, JSONSchema)],
        required: [String] = []
    ) -> JSONSchema {
        let schema = described(about).with(("type", "object"), ("properties", .object(properties)))
        let needed = required.isEmpty ? schema : schema.with(("required", .array(required.map { .text($0) })))
        return needed.with(("additionalProperties", .boolean(false)))
    }

    /// A map whose keys are names of the user's choice.
    package static func named(_ about: String, names: String, values: JSONSchema) -> JSONSchema {
        described(about).with(
            ("type", "object"),
            ("propertyNames", ["pattern": .text(names)]),
            ("additionalProperties", values)
        )
    }

    package static func list(_ about: String, of items: JSONSchema, atLeast minimum: Int = 0) -> JSONSchema {
        let schema = described(about).with(("type", "array"), ("items", items))
        return minimum == 0 ? schema : schema.with(("minItems", .number(minimum)))
    }

    package static func string(_ about: String, default value: String? = nil) -> JSONSchema {
        described(about).with(("type", "string")).defaulting(to: value.map { .text($0) })
    }

    func defaulting(to value: JSONSchema?) -> JSONSchema { value.map { with(("default", $0)) } ?? self }
}
