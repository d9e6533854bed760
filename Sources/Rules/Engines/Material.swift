internal import Model

/// Where an entry of a rule file takes its value from.
enum ValueOrigin {
    /// The whole text: patterns and templates.
    case text
    /// The values of lines with one of these keys.
    case keys(KeyNames)
    /// The values at a path in JSON or in an embed.
    case path(ValuePath)

    /// As a rule's author wrote it; empty for the whole text.
    var written: String {
        switch self {
        case .text: ""
        case .keys(let names): "key " + names.names.joined(separator: ", ")
        case .path(let path): "path " + path.text
        }
    }
}

/// What one record is read from, in the form its engine needs.
struct Material {
    /// Empty for embeds.
    var text: UnsafeBufferPointer<UInt8>
    /// Where `text` starts in the text as a whole; for JSON, where the JSON does.
    var offset = 0
    var pairs: [TextPair] = []
    var tree: JSONView?
    /// For the strings of an embed. JSON is read as it stands.
    var normalizer: Normalizer?

    /// A value before it is read.
    struct Fragment {
        /// The text that `range` counts in; `nil` for that of the material.
        var own: [UInt8]?
        var range: Range<Int>
        /// True for a number in JSON, whose notation is not that of messages.
        var isNumber = false
        /// Fragments come in the order of these.
        var order = 0
        /// What counts as read when this is; `nil` outside of the material's text.
        var span: Range<Int>?
        /// Where it stands in the text as a whole; `nil` where that is not known.
        var place: Range<Int>?
        var view: JSONView?
    }

    func fragments(of origin: ValueOrigin) -> [Fragment] {
        switch origin {
        case .text: [Fragment(range: 0..<text.count)]
        case .keys(let names):
            pairs.filter { !$0.value.isEmpty && names.matches($0.key) }.map { pair in
                Fragment(range: pair.value, span: pair.line)
            }
        case .path(let path): values(at: path).map { fragment(of: $0) }
        }
    }

    /// A value of JSON as text, strings without quotes and escapes.
    func fragment(of view: JSONView) -> Fragment {
        var bytes: [UInt8]
        switch view.kind {
        case .string: bytes = Array((view.string ?? "").utf8)
        default: bytes = Array(view.raw)
        }
        if let normalizer, view.kind == .string {
            bytes = normalizer.normalize(String(decoding: bytes, as: UTF8.self)).bytes
        }
        let start = offset + view.offset
        return Fragment(
            own: bytes,
            range: 0..<bytes.count,
            isNumber: view.kind == .number,
            order: view.offset,
            place: normalizer == nil ? start..<(start + view.raw.count) : nil,
            view: view
        )
    }

    private func values(at path: ValuePath) -> [JSONView] {
        guard let tree else { return [] }
        guard let normalizer else { return path.values(in: tree) }
        return path.values(in: tree) { KeyNames.canonical(normalizer.normalize($0).text) }
    }

    /// Calls `body` with the bytes that the fragment's range counts in.
    func withBytes<Result>(of fragment: Fragment, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        guard let own = fragment.own else { return body(text) }
        return own.withUnsafeBufferPointer(body)
    }
}
