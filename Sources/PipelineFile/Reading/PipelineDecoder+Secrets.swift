extension PipelineDecoder {
    /// A secret as the file gives it.
    struct Secret {
        var reference: SecretReference
        /// Where it stands.
        var node: YAMLNode
        /// `nil` where nobody may know it yet: its variable is not set and secrets are not being resolved, or it is in
        /// error.
        var value: String?
    }

    /// Takes `key` and `<key>_file`. When secrets are being resolved, the value goes into ``secrets``.
    ///
    /// A variable that is not set is an error only where secrets are resolved and some role will use the value.
    mutating func secret(_ key: SecretKey, in section: inout Section, isUsed: Bool) -> Secret? {
        let text = section.map.optional(key.key)
        let file = section.map.optional(key.key + "_file")
        if text != nil, file != nil, let place = section.map.key(key.key + "_file") {
            diagnostics.error("'\(key.key)' and '\(key.key)_file' are both given; keep one", at: place)
            return nil
        }
        let secret =
            text.flatMap { written(key, $0, isUsed: isUsed) } ?? file.flatMap { inFile(key, $0, isUsed: isUsed) }
        guard var secret, let raw = secret.value else { return secret }
        do {
            secret.value = try key.normalized(raw, folder: folder)
        } catch {
            diagnostics.error(error.message, at: secret.node)
            secret.value = nil
        }
        if resolves(key), isUsed, let value = secret.value, !value.isEmpty, value != "managed" {
            secrets[key.variable] = value
        }
        return secret
    }

    private mutating func written(_ key: SecretKey, _ node: YAMLNode, isUsed: Bool) -> Secret? {
        guard let text = text(node, key.rawValue, orEmpty: true) else { return nil }
        do {
            let template = try Template(text)
            let isLiteral = key.isCredential(template.withoutVariables)
            if isLiteral {
                diagnostics.warning(
                    "'\(key.rawValue)' holds a secret in plain text; write ${\(key.variable)}, or '\(key.key)_file'",
                    at: node
                )
            }
            let source: SecretReference.Source = isLiteral ? .literal : .template(text)
            var secret = Secret(reference: .init(variable: key.variable, source: source), node: node)
            do {
                secret.value = try template.expanded(with: environment)
            } catch {
                if resolves(key) && isUsed { diagnostics.error(error.advice(path: key.rawValue), at: node) }
            }
            return secret
        } catch {
            diagnostics.error(error.advice(path: key.rawValue), at: node)
            return nil
        }
    }

    private mutating func inFile(_ key: SecretKey, _ node: YAMLNode, isUsed: Bool) -> Secret? {
        guard let text = text(node, key.rawValue + "_file") else { return nil }
        let path = FilePath.absolute(text, in: folder)
        var secret = Secret(reference: .init(variable: key.variable, source: .file(path)), node: node)
        guard resolves(key), isUsed else { return secret }
        do {
            secret.value = Self.withoutFinalNewline(try readFile(path))
        } catch {
            diagnostics.error("'\(key.rawValue)_file': \(error)", at: node)
        }
        return secret
    }

    /// A secret may be given as nothing (`""`), which turns off what it is for.
    private mutating func text(_ node: YAMLNode, _ path: String, orEmpty: Bool) -> String? {
        node.scalar ?? text(node, path)
    }

    /// Editors end a file with a newline, which is no part of a secret.
    static func withoutFinalNewline(_ text: String) -> String {
        text.last?.isNewline == true ? String(text.dropLast()) : text
    }
}
