import Model

/// Single values. Each has a form that takes a key of a section, with nothing for an absent one, and where lists need
/// it a form that takes the node.
extension PipelineDecoder {
    mutating func mustBe(_ expected: String, _ node: YAMLNode, _ path: String) {
        diagnostics.error("'\(path)' must be \(expected), not \(node.described)", at: node)
    }

    mutating func text(_ key: String, in section: inout Section) -> String? {
        section.map.optional(key).flatMap { text($0, section.path(of: key)) }
    }

    mutating func text(_ node: YAMLNode, _ path: String) -> String? {
        if let text = node.scalar, !text.isEmpty { return text }
        mustBe("text", node, path)
        return nil
    }

    mutating func boolean(_ key: String, in section: inout Section) -> Bool? {
        guard let node = section.map.optional(key) else { return nil }
        if let value = node.boolean { return value }
        mustBe("true or false", node, section.path(of: key))
        return nil
    }

    mutating func integer(_ key: String, in section: inout Section, _ range: ClosedRange<Int>) -> Int? {
        section.map.optional(key).flatMap { integer($0, section.path(of: key), range) }
    }

    mutating func integer(_ node: YAMLNode, _ path: String, _ range: ClosedRange<Int>) -> Int? {
        if let value = node.integer, range.contains(Int(value)) { return Int(value) }
        mustBe("a whole number from \(range.lowerBound) to \(range.upperBound)", node, path)
        return nil
    }

    mutating func number(_ key: String, in section: inout Section, _ range: ClosedRange<Double>) -> Double? {
        guard let node = section.map.optional(key) else { return nil }
        if let value = node.decimal.flatMap({ Double($0.description) }), range.contains(value) { return value }
        func written(_ bound: Double) -> String { Int(exactly: bound).map { "\($0)" } ?? "\(bound)" }
        let (low, high) = (written(range.lowerBound), written(range.upperBound))
        mustBe("a number from \(low) to \(high)", node, section.path(of: key))
        return nil
    }

    mutating func duration(_ key: String, in section: inout Section, _ range: ClosedRange<Duration>) -> Duration? {
        guard let node = section.map.optional(key) else { return nil }
        let path = section.path(of: key)
        guard let value = node.scalar.flatMap({ Duration(written: $0) }) else {
            mustBe("a duration such as 500ms, 5s, 2m or 1h", node, path)
            return nil
        }
        guard range.contains(value) else {
            mustBe("from \(range.lowerBound.written) to \(range.upperBound.written)", node, path)
            return nil
        }
        return value
    }

    mutating func byteCount(_ key: String, in section: inout Section, atLeast minimum: Int) -> Int? {
        guard let node = section.map.optional(key) else { return nil }
        if let value = node.scalar.flatMap(ByteCount.parse), value >= minimum { return value }
        mustBe("a size such as 64MiB or 1GiB, at least \(minimum >> 20)MiB", node, section.path(of: key))
        return nil
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String,
        in section: inout Section
    ) -> Choice? where Choice.RawValue == String {
        section.map.optional(key).flatMap { choice($0, section.path(of: key)) }
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ node: YAMLNode,
        _ path: String
    ) -> Choice? where Choice.RawValue == String {
        if let value = node.scalar.flatMap(Choice.init(rawValue:)) { return value }
        let allowed = Choice.allCases.map(\.rawValue)
        let near = node.scalar.flatMap { nearest($0, in: allowed) }
        let help = near.map { "; did you mean '\($0)'?" } ?? ""
        let list = allowed.count == 1 ? "'\(allowed[0])'" : "one of \(allowed.joined(separator: ", "))"
        diagnostics.error("'\(path)' must be \(list), not \(node.described)\(help)", at: node)
        return nil
    }

    /// The elements of a list; nothing, with an error, for anything else.
    mutating func list(_ node: YAMLNode, _ path: String) -> [YAMLNode]? {
        if let elements = node.sequence { return elements }
        mustBe("a list", node, path)
        return nil
    }

    mutating func exitCodes(_ key: String, in section: inout Section) -> [Int]? {
        guard let node = section.map.optional(key) else { return nil }
        let path = section.path(of: key)
        return list(node, path)?.compactMap { integer($0, path, 0...255) }
    }

    /// A program and its arguments, never a line for a shell.
    mutating func command(_ key: String, in section: inout Section) -> [String]? {
        guard let node = section.map.optional(key) else { return nil }
        guard let elements = node.sequence, let program = elements.first else {
            mustBe("a list of a program and its arguments, such as [python3, score.py]", node, section.path(of: key))
            return nil
        }
        guard text(program, section.path(of: key)) != nil else { return nil }
        let words = elements.map(\.scalar)
        for (element, word) in zip(elements, words) where word == nil {
            mustBe("a list of text", element, section.path(of: key))
        }
        return words.allSatisfy { $0 != nil } ? words.compactMap(\.self) : nil
    }

    /// An absolute path, from one that may be relative to the folder of the file.
    mutating func path(_ key: String, in section: inout Section) -> String? {
        text(key, in: &section).map { FilePath.absolute($0, in: folder) }
    }

    /// An address of an HTTP service, without a trailing slash. Errors do not show it: it may hold a password.
    mutating func httpURL(_ key: String, in section: inout Section) -> String? {
        guard let node = section.map.optional(key), let value = text(node, section.path(of: key)) else { return nil }
        let path = section.path(of: key)
        let rest = ["https://", "http://"].first { value.hasPrefix($0) }.map { value.dropFirst($0.count) }
        guard let rest, let first = rest.first, first != "/", !value.contains(where: \.isWhitespace),
            !rest.contains("?"), !rest.contains("#")
        else {
            diagnostics.error("'\(path)' must be an address such as https://host/path", at: node)
            return nil
        }
        guard !rest.prefix(while: { $0 != "/" }).contains("@") else {
            diagnostics.error("'\(path)' must not hold a user or password", at: node)
            return nil
        }
        return String(value.reversed().drop { $0 == "/" }.reversed())
    }

    /// `host:port` or `[address]:port`; port 0 takes a free one.
    static func hostAndPort(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "/" && $0 != "@" }) else {
            return nil
        }
        return (String(host), Int(port))
    }

    // MARK: Names

    static func isNameCharacter(_ character: Character) -> Bool {
        ("a"..."z").contains(character) || ("0"..."9").contains(character) || character == "-" || character == "_"
    }

    static func isName(_ text: String) -> Bool {
        text.utf8.count <= 63 && text.allSatisfy(isNameCharacter) && text.first.map { $0 != "-" && $0 != "_" } ?? false
    }

    static let nameRule = "a name of a-z, 0-9, '-' and '_', starting with a letter or digit, of at most 63 characters"

    mutating func name(_ key: String, in section: inout Section) -> String? {
        section.map.optional(key).flatMap { name($0, section.path(of: key)) }
    }

    mutating func name(_ node: YAMLNode, _ path: String) -> String? {
        if let text = node.scalar, Self.isName(text) { return text }
        mustBe(Self.nameRule, node, path)
        return nil
    }
}
