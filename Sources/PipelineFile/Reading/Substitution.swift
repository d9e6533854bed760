/// Puts environment variables into the scalar values of `pipeline.yaml`, each in its place, so that what comes after
/// sees plain values. Keys are left alone; so are the values that must keep their template: secrets and what
/// workers get in their environment.
struct Substitution {
    let environment: [String: String]
    private(set) var diagnostics = Diagnostics()

    init(environment: [String: String]) {
        self.environment = environment
    }

    mutating func substitute(_ node: YAMLNode, path: [String] = []) -> YAMLNode {
        let content: YAMLNode.Content
        switch node.content {
        case .scalar(let text, _):
            refuseNUL(in: text, node, path)
            return Self.keepsTemplate(path) ? node : scalar(node, text, path)
        case .sequence(let elements):
            var result: [YAMLNode] = []
            for (index, element) in elements.enumerated() {
                result.append(substitute(element, path: path.dropLast() + ["\(path.last ?? "")[\(index)]"]))
            }
            content = .sequence(result)
        case .mapping(let pairs):
            var result: [YAMLPair] = []
            for pair in pairs {
                result.append(YAMLPair(key: pair.key, value: substitute(pair.value, path: path + [pair.name])))
            }
            content = .mapping(result)
        }
        return YAMLNode(content: content, file: node.file, mark: node.mark)
    }

    /// Programs, their arguments and environments, paths and databases would all end the text there, in silence.
    private mutating func refuseNUL(in text: String, _ node: YAMLNode, _ path: [String]) {
        guard let nul = text.utf8.firstIndex(of: 0) else { return }
        diagnostics.error(
            "'\(path.joined(separator: "."))' holds a NUL character, which no value here can carry; take it out",
            file: node.file,
            mark: node.mark(atScalarOffset: text.utf8.distance(from: text.startIndex, to: nul))
        )
    }

    private mutating func scalar(_ node: YAMLNode, _ text: String, _ path: [String]) -> YAMLNode {
        guard text.contains("${") else { return node }
        do {
            let template = try Template(text)
            let value = try template.expanded(with: environment)
            guard template.hasReferences else { return with(value, node, isPlain: false, template: nil) }
            // Inside [ ] and { } a reference must stand in quotes, and there too `"${REPLICAS}"` means a number.
            return with(value, node, isPlain: true, template: text)
        } catch {
            diagnostics.error(error.advice(path: path.joined(separator: ".")), at: node)
            // Nothing, so that the default stands in and no second error follows from this one.
            return with("", node, isPlain: true, template: text)
        }
    }

    private func with(_ text: String, _ node: YAMLNode, isPlain: Bool, template: String?) -> YAMLNode {
        YAMLNode(
            content: .scalar(text, isPlain: isPlain),
            file: node.file,
            mark: node.mark,
            source: "",
            template: template
        )
    }

    private static let secretPaths = Set(SecretKey.allCases.map(\.rawValue))

    private static func keepsTemplate(_ path: [String]) -> Bool {
        (path.count == 4 && path[0] == "workers" && path[2] == "env")
            || secretPaths.contains(path.joined(separator: "."))
    }
}
