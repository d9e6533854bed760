/// Takes the keys of a map one by one, and at the end reports those that nobody asked for.
package struct MappingReader: Sendable {
    package let node: YAMLNode
    private let what: String
    private let pairs: [YAMLPair]
    private(set) var known: [String] = []

    /// `nil`, with an error, when `node` is no map. `what` names it in diagnostics: `'broker'`, `worker 'parse'`.
    package init?(_ node: YAMLNode, what: String, diagnostics: inout Diagnostics) {
        guard let pairs = node.mapping else {
            diagnostics.error("\(what) must be a map, not \(node.described)", at: node)
            return nil
        }
        self.node = node
        self.what = what
        self.pairs = pairs
    }

    /// The value of `key`; `nil` without the key, and where it has no value (`key:`).
    package mutating func optional(_ key: String) -> YAMLNode? {
        known.append(key)
        guard let value = pairs.first(where: { $0.name == key })?.value, !value.isNull else { return nil }
        return value
    }

    /// As ``optional(_:)``, with an error when there is none.
    package mutating func required(_ key: String, _ diagnostics: inout Diagnostics) -> YAMLNode? {
        if let value = optional(key) { return value }
        if let pair = pairs.first(where: { $0.name == key }) {
            // A variable that is not set has been reported, and left no value.
            if diagnostics.hasError(at: pair.value) { return nil }
            diagnostics.error("'\(key)' has no value", at: pair.key)
        } else {
            diagnostics.error("\(what) has no '\(key)'", at: node)
        }
        return nil
    }

    /// Where `key` itself stands, for what is to be said about the key rather than its value.
    package func key(_ key: String) -> YAMLNode? { pairs.first { $0.name == key }?.key }

    /// Reports every key that was not asked for, with the nearest known one, or with all where none is near.
    package func finish(_ diagnostics: inout Diagnostics) {
        let given = Set(pairs.map(\.name))
        let unused = known.filter { !given.contains($0) }
        for pair in pairs where !known.contains(pair.name) {
            let help =
                if let near = nearest(pair.name, in: unused) ?? nearest(pair.name, in: known) {
                    "did you mean '\(near)'?"
                } else {
                    "\(what) takes \(known.joined(separator: ", "))"
                }
            diagnostics.error("unknown key '\(pair.name)'; \(help)", at: pair.key)
        }
    }
}

extension YAMLNode {
    /// `'yes'`, `a list`, `nothing`: what was found, as diagnostics say it.
    package var described: String {
        if isNull { return "nothing" }
        guard let scalar else { return "a \(kindName)" }
        if let template { return "the value of '\(template)'" }
        return "'\(scalar.count > 60 ? scalar.prefix(57) + "…" : scalar[...])'"
    }
}
