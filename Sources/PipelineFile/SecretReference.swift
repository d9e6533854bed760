/// A secret as a generation holds it: not the value, but where a child finds it.
package struct SecretReference: Sendable, Equatable {
    /// The environment variable in which a child of the tree receives the value, such as `CHAFFINCH_DISCORD_TOKEN`.
    package var variable: String
    /// How the value is found anew, as far as it can be without the YAML: a template such as `${DISCORD_TOKEN}`, or a
    /// file. A value written into the YAML itself is not kept.
    package var source: Source

    package enum Source: Sendable, Equatable {
        /// Text with `${VAR}` and `${VAR:-default}`, no literal credentials.
        case template(String)
        /// The path of a file, absolute; its content without the trailing newline is the value.
        case file(String)
        /// Written into the YAML: known only to whoever read that.
        case literal
    }

    package init(variable: String, source: Source) {
        self.variable = variable
        self.source = source
    }
}

/// In JSON: the variable, and `template` or `file`; neither for a literal.
extension SecretReference: Codable {
    private enum Key: String, CodingKey { case variable, template, file }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        variable = try container.decode(String.self, forKey: .variable)
        if let template = try container.decodeIfPresent(String.self, forKey: .template) {
            source = .template(template)
        } else if let file = try container.decodeIfPresent(String.self, forKey: .file) {
            source = .file(file)
        } else {
            source = .literal
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(variable, forKey: .variable)
        switch source {
        case .template(let text): try container.encode(text, forKey: .template)
        case .file(let path): try container.encode(path, forKey: .file)
        case .literal: break
        }
    }
}
