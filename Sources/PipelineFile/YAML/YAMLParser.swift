/// Reads a YAML file into nodes with positions.
///
/// Refused, each with its place: several documents, anchors whose aliases grow past a budget, nesting past a limit,
/// merge keys, tags other than those of the core schema, keys that are not text, and a key given twice in one map.
package enum YAMLParser {
    /// Bytes; files are read whole.
    package static let maximumSize = 1 << 20
    package static let maximumDepth = 64
    /// Nodes that all aliases of a file may stand for together.
    package static let maximumAliasedNodes = 10_000

    /// The root of `file`, or `nil` when it is empty or its syntax is broken, which `diagnostics` then says. Duplicate
    /// keys and the like are reported too, and still give nodes, so that other mistakes are found in the same run.
    package static func parse(_ file: SourceFile, into diagnostics: inout Diagnostics) -> YAMLNode? {
        if let problem = file.problem {
            diagnostics.error(problem, file: file.name, mark: nil)
            return nil
        }
        guard file.text.utf8.count <= maximumSize else {
            diagnostics.error("the file is larger than 1 MiB", file: file.name, mark: nil)
            return nil
        }
        var builder = YAMLBuilder(file)
        let root = builder.build()
        diagnostics.append(builder.diagnostics)
        return root
    }
}

/// Builds nodes from events; one use.
private struct YAMLBuilder: ~Copyable {
    private struct Stop: Error {}

    /// What an alias of it costs.
    private struct Anchored {
        var node: YAMLNode
        var count: Int
        var height: Int
    }

    var diagnostics = Diagnostics()
    private let file: SourceFile
    private let text: Substring
    private let events: YAMLEvents
    private var anchors: [String: Anchored] = [:]
    private var openAnchors: Set<String> = []
    private var aliasedNodes = 0
    /// Where the last source text ended: events come in order, so each scalar's text is found from here.
    private var cursor: (index: String.Index, offset: Int)

    init(_ file: SourceFile) {
        self.file = file
        text = file.text.hasPrefix("\u{FEFF}") ? Substring(file.text.unicodeScalars.dropFirst()) : file.text[...]
        events = YAMLEvents(String(text))
        cursor = (text.startIndex, 0)
    }

    mutating func build() -> YAMLNode? {
        do {
            _ = try next()
            guard case .documentStart = try next().kind else {
                diagnostics.error("the file is empty", file: file.name, mark: nil)
                return nil
            }
            let root = try node(from: next(), depth: 1).node
            _ = try next()
            let end = try next()
            if case .documentStart = end.kind {
                diagnostics.error("a second document; a file holds one", file: file.name, mark: end.mark)
            }
            return root
        } catch {
            return nil
        }
    }

    private mutating func next() throws(Stop) -> YAMLEvents.Event {
        do {
            return try events.next()
        } catch {
            throw stop(error.advice(in: file), at: error.mark)
        }
    }

    private mutating func stop(_ message: String, at mark: SourceMark) -> Stop {
        diagnostics.error(message, file: file.name, mark: mark)
        return Stop()
    }

    private mutating func node(from event: YAMLEvents.Event, depth: Int) throws(Stop) -> Anchored {
        guard depth <= YAMLParser.maximumDepth else {
            throw stop("nested more than \(YAMLParser.maximumDepth) levels deep", at: event.mark)
        }
        if case .alias(let name) = event.kind { return try alias(name, at: event.mark, depth: depth) }
        checkTag(of: event)
        if let anchor = event.anchor { openAnchors.insert(anchor) }
        let result: Anchored
        switch event.kind {
        case .scalar(let text, let isPlain): result = scalar(text, isPlain: isPlain, event)
        case .sequenceStart: result = try sequence(at: event.mark, depth: depth)
        default: result = try mapping(at: event.mark, depth: depth)
        }
        if let anchor = event.anchor {
            openAnchors.remove(anchor)
            anchors[anchor] = result
        }
        return result
    }

    private mutating func alias(_ name: String, at mark: SourceMark, depth: Int) throws(Stop) -> Anchored {
        guard let target = anchors[name], !openAnchors.contains(name) else {
            throw stop(
                openAnchors.contains(name)
                    ? "alias '*\(name)' stands inside its own anchor"
                    : "alias '*\(name)' has no anchor '&\(name)' before it",
                at: mark
            )
        }
        aliasedNodes += target.count
        guard aliasedNodes <= YAMLParser.maximumAliasedNodes else {
            throw stop("the file's aliases expand to more than \(YAMLParser.maximumAliasedNodes) values", at: mark)
        }
        guard depth + target.height - 1 <= YAMLParser.maximumDepth else {
            throw stop("nested more than \(YAMLParser.maximumDepth) levels deep", at: mark)
        }
        return target
    }

    private mutating func scalar(_ text: String, isPlain: Bool, _ event: YAMLEvents.Event) -> Anchored {
        let content = YAMLNode.Content.scalar(text, isPlain: isPlain && event.tag.map(Self.isText) != true)
        let source = source(from: event.startIndex, to: event.endIndex)
        let node = YAMLNode(content: content, file: file.name, mark: event.mark, source: source)
        return Anchored(node: node, count: 1, height: 1)
    }

    private mutating func sequence(at mark: SourceMark, depth: Int) throws(Stop) -> Anchored {
        var elements: [YAMLNode] = []
        var count = 1
        var height = 1
        while true {
            let event = try next()
            if case .sequenceEnd = event.kind { break }
            let element = try node(from: event, depth: depth + 1)
            elements.append(element.node)
            count += element.count
            height = max(height, element.height + 1)
        }
        return Anchored(node: made(.sequence(elements), at: mark), count: count, height: height)
    }

    private mutating func mapping(at mark: SourceMark, depth: Int) throws(Stop) -> Anchored {
        var pairs: [YAMLPair] = []
        var places: [String: SourceMark] = [:]
        var count = 1
        var height = 1
        while true {
            let event = try next()
            if case .mappingEnd = event.kind { break }
            let key = try node(from: event, depth: depth + 1)
            let value = try node(from: next(), depth: depth + 1)
            count += key.count + value.count
            height = max(height, key.height + 1, value.height + 1)
            guard isUsable(key.node) else { continue }
            let pair = YAMLPair(key: key.node, value: value.node)
            if let first = places[pair.name] {
                diagnostics.error("duplicate key '\(pair.name)'; it was first given at \(first)", at: pair.key)
                continue
            }
            places[pair.name] = pair.key.mark
            pairs.append(pair)
        }
        return Anchored(node: made(.mapping(pairs), at: mark), count: count, height: height)
    }

    private mutating func isUsable(_ key: YAMLNode) -> Bool {
        guard case .scalar(let name, let isPlain) = key.content else {
            diagnostics.error("a key must be text, not a \(key.kindName)", at: key)
            return false
        }
        if name == "<<" && isPlain {
            diagnostics.error(
                "merge keys ('<<') are not supported; alias a whole value, or write the keys out",
                at: key
            )
            return false
        }
        return true
    }

    private func made(_ content: YAMLNode.Content, at mark: SourceMark) -> YAMLNode {
        YAMLNode(content: content, file: file.name, mark: mark)
    }

    private mutating func checkTag(of event: YAMLEvents.Event) {
        guard let tag = event.tag, tag != "!" else { return }
        let core = "tag:yaml.org,2002:"
        let allowed =
            switch event.kind {
            case .sequenceStart: ["seq"]
            case .mappingStart: ["map"]
            default: ["str", "int", "float", "bool", "null"]
            }
        if tag.hasPrefix(core), allowed.contains(String(tag.dropFirst(core.count))) { return }
        let shown = tag.hasPrefix(core) ? "!!" + tag.dropFirst(core.count) : tag
        diagnostics.error("tag '\(shown)' is not supported; leave it out", file: file.name, mark: event.mark)
    }

    private static func isText(_ tag: String) -> Bool { tag == "!" || tag == "tag:yaml.org,2002:str" }

    private mutating func source(from start: Int, to end: Int) -> Substring {
        guard start >= cursor.offset, end >= start else { return "" }
        let scalars = text.unicodeScalars
        let first = scalars.index(cursor.index, offsetBy: start - cursor.offset)
        let last = scalars.index(first, offsetBy: end - start)
        cursor = (last, end)
        return text[first..<last]
    }
}
