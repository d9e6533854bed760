private import CSimdJSON
private import Glibc

/// A JSON text that was read once and can be walked without copies.
///
/// Numbers keep the digits they were written with, and every value knows its bytes as written, so that a Discord
/// message is stored exactly as it came. Reading is simdjson's (see `CSimdJSON`).
package final class JSONDocument {
    /// How deep arrays and objects may nest before a text is refused. Discord's own messages stay under 20.
    package static let maximumDepth: UInt32 = 128

    private let handle: OpaquePointer
    fileprivate let nodes: UnsafeBufferPointer<cf_json_node>
    fileprivate let source: UnsafeBufferPointer<UInt8>

    /// Reads a JSON array or object.
    ///
    /// - Throws: ``JSONError`` when the bytes are not UTF-8, not JSON, nested too deep, or a lone scalar.
    package init(_ bytes: some ContiguousBytesOfJSON) throws {
        var failure = cf_json_error()
        let handle = bytes.withJSONBytes { buffer in
            cf_json_parse(buffer.baseAddress, buffer.count, Self.maximumDepth, &failure)
        }
        guard let handle else {
            throw JSONError(reason: String(cString: failure.message), offset: failure.offset)
        }
        self.handle = handle
        var count = 0
        nodes = UnsafeBufferPointer(start: cf_json_nodes(handle, &count), count: count)
        var length = 0
        let start = cf_json_source(handle, &length)
        source = UnsafeBufferPointer(
            start: UnsafeRawPointer(start)?.assumingMemoryBound(to: UInt8.self),
            count: length
        )
    }

    deinit {
        cf_json_free(handle)
    }

    /// The outermost value.
    package var root: JSONView { JSONView(document: self, index: 0) }
}

/// Bytes that ``JSONDocument`` can read in place: byte arrays, slices of them, and strings.
package protocol ContiguousBytesOfJSON {
    func withJSONBytes<Result>(_ body: (UnsafeBufferPointer<CChar>) -> Result) -> Result
}

extension Array: ContiguousBytesOfJSON where Element == UInt8 {
    package func withJSONBytes<Result>(_ body: (UnsafeBufferPointer<CChar>) -> Result) -> Result {
        withUnsafeBytes { body($0.bindMemory(to: CChar.self)) }
    }
}

extension ArraySlice: ContiguousBytesOfJSON where Element == UInt8 {
    package func withJSONBytes<Result>(_ body: (UnsafeBufferPointer<CChar>) -> Result) -> Result {
        withUnsafeBytes { body($0.bindMemory(to: CChar.self)) }
    }
}

extension String: ContiguousBytesOfJSON {
    package func withJSONBytes<Result>(_ body: (UnsafeBufferPointer<CChar>) -> Result) -> Result {
        var copy = self
        return copy.withUTF8 { buffer in buffer.withMemoryRebound(to: CChar.self) { body($0) } }
    }
}

/// A text that is not the JSON that was expected.
package struct JSONError: Error, Equatable, CustomStringConvertible {
    package var reason: String
    /// The byte at which the trouble was noticed.
    package var offset: Int

    package init(reason: String, offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    package var description: String { "not valid JSON: \(reason) (at byte \(offset))" }
}

/// One value inside a ``JSONDocument``, read as a view.
///
/// The typed accessors return `nil` when the value is of another kind; none of them converts.
package struct JSONView {
    package enum Kind { case null, boolean, number, string, array, object }

    private let document: JSONDocument
    private let index: Int

    fileprivate init(document: JSONDocument, index: Int) {
        self.document = document
        self.index = index
    }

    private var node: cf_json_node { document.nodes[index] }

    package var kind: Kind {
        switch node.kind {
        case CF_JSON_FALSE.rawValue, CF_JSON_TRUE.rawValue: .boolean
        case CF_JSON_NUMBER.rawValue: .number
        case CF_JSON_STRING.rawValue: .string
        case CF_JSON_ARRAY.rawValue: .array
        case CF_JSON_OBJECT.rawValue: .object
        default: .null
        }
    }

    /// The value's bytes exactly as they were written.
    package var raw: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: document.source[Int(node.raw_start)..<Int(node.raw_start + node.raw_length)])
    }

    /// Where the value starts in the document, in bytes.
    package var offset: Int { Int(node.raw_start) }

    package var isNull: Bool { node.kind == CF_JSON_NULL.rawValue }

    package var boolean: Bool? {
        switch node.kind {
        case CF_JSON_TRUE.rawValue: true
        case CF_JSON_FALSE.rawValue: false
        default: nil
        }
    }

    package var string: String? {
        let node = node
        guard node.kind == CF_JSON_STRING.rawValue else { return nil }
        return Self.text(node.text, node.text_length)
    }

    /// A string's bytes, without a copy of them.
    ///
    /// - Parameter body: must not let them out.
    package func withUTF8<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result?) -> Result? {
        let node = node
        guard node.kind == CF_JSON_STRING.rawValue, let start = node.text else { return nil }
        let bytes = UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self)
        return withExtendedLifetime(document) {
            body(UnsafeBufferPointer(start: bytes, count: Int(node.text_length)))
        }
    }

    /// A number's digits as written.
    package var numberLiteral: String? {
        guard node.kind == CF_JSON_NUMBER.rawValue else { return nil }
        return String(decoding: raw, as: UTF8.self)
    }

    /// A number written without fraction or exponent that fits into 64 bits.
    package var integer: Int64? { numberLiteral.flatMap { Int64($0) } }

    /// A number as a double; only for things that are measures, such as seconds, never for a record's values.
    package var double: Double? { numberLiteral.flatMap { Double($0) } }

    /// The elements of an array; nothing for other kinds.
    package var elements: JSONChildren {
        JSONChildren(self, of: CF_JSON_ARRAY.rawValue)
    }

    /// The members of an object in the order written; nothing for other kinds.
    package var members: some Sequence<(key: String, value: JSONView)> {
        JSONChildren(self, of: CF_JSON_OBJECT.rawValue).lazy.map { ($0.key, $0) }
    }

    /// A member of an object by name; the last one where a name is written twice.
    package subscript(name: StaticString) -> JSONView? {
        member(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    /// A member of an object by name; the last one where a name is written twice.
    package func member(_ name: String) -> JSONView? {
        var name = name
        return name.withUTF8 { member($0) }
    }

    private func member(_ name: UnsafeBufferPointer<UInt8>) -> JSONView? {
        withExtendedLifetime(document) {
            let nodes = document.nodes
            guard nodes[index].kind == CF_JSON_OBJECT.rawValue else { return nil }
            let end = Int(nodes[index].end)
            var found: Int?
            var child = index + 1
            while child < end {
                if Int(nodes[child].key_length) == name.count,
                    name.isEmpty || memcmp(nodes[child].key!, name.baseAddress!, name.count) == 0
                {
                    found = child
                }
                child = Int(nodes[child].end)
            }
            return found.map { JSONView(document: document, index: $0) }
        }
    }

    private var key: String { Self.text(node.key, node.key_length) }

    private static func text(_ start: UnsafePointer<CChar>?, _ length: UInt32) -> String {
        guard let start else { return "" }
        let bytes = UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self)
        return String(decoding: UnsafeBufferPointer(start: bytes, count: Int(length)), as: UTF8.self)
    }

    /// The children of one container, in order.
    package struct JSONChildren: Sequence, IteratorProtocol {
        private let document: JSONDocument
        private var cursor: Int
        private let end: Int

        fileprivate init(_ view: JSONView, of kind: UInt32) {
            document = view.document
            let node = view.node
            end = node.kind == kind ? Int(node.end) : view.index + 1
            cursor = view.index + 1
        }

        package mutating func next() -> JSONView? {
            guard cursor < end else { return nil }
            defer { cursor = Int(document.nodes[cursor].end) }
            return JSONView(document: document, index: cursor)
        }
    }
}
