/// Text with `${VAR}` and `${VAR:-default}` in it. The default also serves where the variable is set to nothing, as in
/// the shell, and may itself hold references. `$${` stands for a literal `${`; any other `$` for itself.
///
/// A variable that is not set is read from the file that `VAR_FILE` names, if that is: secrets are mounted as files.
package struct Template: Sendable, Equatable {
    package let text: String
    private let parts: [Part]

    /// - Throws: ``TemplateError/malformed`` where a `${` is not one of the two forms.
    package init(_ text: String) throws(TemplateError) {
        var rest = text[...]
        parts = try Self.parse(&rest, depth: 0)
        self.text = text
    }

    package var hasReferences: Bool {
        parts.contains { if case .variable = $0 { true } else { false } }
    }

    /// The names of all variables it refers to, those of defaults too.
    package var variables: Set<String> { Self.variables(parts) }

    private static func variables(_ parts: [Part]) -> Set<String> {
        parts.reduce(into: []) { names, part in
            guard case .variable(let name, let fallback) = part else { return }
            names.formUnion(variables(fallback ?? []).union([name]))
        }
    }

    /// The text with every reference replaced.
    ///
    /// - Throws: ``TemplateError/unset(_:)`` for a variable that is not set and has no default,
    ///   ``TemplateError/unreadable(_:_:)`` for one whose file cannot be read.
    package func expanded(with environment: [String: String]) throws(TemplateError) -> String {
        try Self.expand(parts, environment: environment, missing: nil)
    }

    /// What the text holds by itself: its literal parts and defaults, with nothing where a variable must be set.
    var withoutVariables: String {
        (try? Self.expand(parts, environment: [:], missing: "")) ?? ""
    }

    private indirect enum Part: Equatable {
        case literal(String)
        case variable(String, fallback: [Part]?)
    }

    private static let maximumDepth = 8

    private static func expand(
        _ parts: [Part],
        environment: [String: String],
        missing: String?
    ) throws(TemplateError) -> String {
        var result = ""
        for part in parts {
            switch part {
            case .literal(let text): result += text
            case .variable(let name, let fallback):
                var value = environment[name]
                if value == nil { value = try fileValue(name, environment) }
                if let fallback, value?.isEmpty ?? true {
                    result += try expand(fallback, environment: environment, missing: missing)
                } else if let value = value ?? missing {
                    result += value
                } else {
                    throw .unset(name)
                }
            }
        }
        return result
    }

    private static func fileValue(
        _ name: String,
        _ environment: [String: String]
    ) throws(TemplateError) -> String? {
        guard let path = environment[name + "_FILE"], !path.isEmpty else { return nil }
        do {
            return PipelineDecoder.withoutFinalNewline(try TextFile.readValue(path))
        } catch {
            throw .unreadable(name, "\(error)")
        }
    }

    /// Reads up to the end, or inside a reference (`depth` > 0) up to the brace that closes it.
    private static func parse(_ rest: inout Substring, depth: Int) throws(TemplateError) -> [Part] {
        var parts: [Part] = []
        var literal = ""
        while let character = rest.first, depth == 0 || character != "}" {
            if rest.hasPrefix("$${") {
                literal += "${"
                rest.removeFirst(3)
            } else if rest.hasPrefix("${") {
                if !literal.isEmpty { parts.append(.literal(literal)) }
                literal = ""
                parts.append(try reference(&rest, depth: depth + 1))
            } else {
                literal.append(character)
                rest.removeFirst()
            }
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        return parts
    }

    private static func reference(_ rest: inout Substring, depth: Int) throws(TemplateError) -> Part {
        guard depth <= maximumDepth else { throw .malformed }
        rest.removeFirst(2)
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard let first = name.first, !first.isNumber else { throw .malformed }
        rest.removeFirst(name.count)
        var fallback: [Part]?
        if rest.hasPrefix(":-") {
            rest.removeFirst(2)
            fallback = try parse(&rest, depth: depth)
        }
        guard rest.first == "}" else { throw .malformed }
        rest.removeFirst()
        return .variable(String(name), fallback: fallback)
    }
}

package enum TemplateError: Error, Equatable {
    /// The variable of this name is not set, and the reference gives no default.
    case unset(String)
    /// The file that stands for the variable of this name cannot be read: why.
    case unreadable(String, String)
    case malformed

    /// What to tell whoever wrote it; `path` is the key that holds the text.
    func advice(path: String) -> String {
        switch self {
        case .unset(let name):
            "environment variable '\(name)' is not set (used by '\(path)'); set it, or write ${\(name):-default}"
        case .unreadable(let name, let problem): "'\(name)_FILE' (used by '\(path)'): \(problem)"
        case .malformed:
            "'\(path)' holds a '${' that is neither ${VAR} nor ${VAR:-default}; write $${ for a literal one"
        }
    }
}

/// In JSON a template is its text.
extension Template: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
