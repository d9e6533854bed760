package import Model

/// A value of a YAML file with its place. Aliases are already replaced by what they stand for.
package struct YAMLNode: Sendable {
    package enum Content: Sendable {
        /// `isPlain` is false for quoted and block text, and for text tagged `!!str`: that is never a number, a
        /// boolean or null.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([YAMLPair])
    }

    package let content: Content
    /// The file's name as shown; see ``SourceFile/name``.
    package let file: String
    /// Where the node starts: for quoted text its quote, for block text its `|` or `>`.
    package let mark: SourceMark
    /// A scalar as it stands in the file, quotes and all; empty for other nodes.
    let source: Substring
    /// For text into which environment variables were put: what stands in the file. Diagnostics show this, since a
    /// variable may hold a secret.
    let template: String?

    package init(content: Content, file: String, mark: SourceMark) {
        self.init(content: content, file: file, mark: mark, source: "")
    }

    init(content: Content, file: String, mark: SourceMark, source: Substring, template: String? = nil) {
        self.content = content
        self.file = file
        self.mark = mark
        self.source = source
        self.template = template
    }

    package var scalar: String? {
        if case .scalar(let text, _) = content { text } else { nil }
    }

    package var sequence: [YAMLNode]? {
        if case .sequence(let elements) = content { elements } else { nil }
    }

    package var mapping: [YAMLPair]? {
        if case .mapping(let pairs) = content { pairs } else { nil }
    }

    /// The value of `key` in a map; `nil` without that key and for other nodes.
    package func value(_ key: String) -> YAMLNode? { mapping?.first { $0.name == key }?.value }

    /// `text`, `list` or `map`: what diagnostics call it.
    package var kindName: String {
        switch content {
        case .scalar: "text"
        case .sequence: "list"
        case .mapping: "map"
        }
    }
}

/// A key of a map and its value. Keys are text; the parser has refused all others.
package struct YAMLPair: Sendable {
    package let key: YAMLNode
    package let value: YAMLNode

    package init(key: YAMLNode, value: YAMLNode) {
        self.key = key
        self.value = value
    }

    package var name: String { key.scalar ?? "" }
}

/// What plain text means in the core schema of YAML 1.2 (section 10.3.2): `no`, `on` and `1:30` are text.
extension YAMLNode {
    private var plainText: String? {
        if case .scalar(let text, isPlain: true) = content { text } else { nil }
    }

    /// Nothing at all, `~` or `null`.
    package var isNull: Bool { plainText.map { ["", "~", "null", "Null", "NULL"].contains($0) } ?? false }

    package var boolean: Bool? {
        switch plainText {
        case "true", "True", "TRUE": true
        case "false", "False", "FALSE": false
        default: nil
        }
    }

    /// Decimal, `0o` octal or `0x` hexadecimal; `nil` also when it does not fit.
    package var integer: Int64? {
        guard let text = plainText else { return nil }
        if text.hasPrefix("0o") { return Self.unsigned(text.dropFirst(2), radix: 8) }
        if text.hasPrefix("0x") { return Self.unsigned(text.dropFirst(2), radix: 16) }
        return Int64(text)
    }

    /// A number with all its digits; `nil` for infinities, for what is no number and past 38 digits.
    package var decimal: ExactDecimal? {
        guard let text = plainText else { return nil }
        if let integer { return ExactDecimal(integer) }
        return ExactDecimal(text.hasSuffix(".") ? text.dropLast() : text[...])
    }

    private static func unsigned(_ digits: Substring, radix: Int) -> Int64? {
        guard digits.first?.isHexDigit == true else { return nil }
        return Int64(digits, radix: radix)
    }
}
