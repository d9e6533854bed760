internal import Model
internal import PipelineFile

/// The way to a value inside JSON: `data.legs[0].price`, `targets[*]`, `["odd.key"].x`, or `.` for the value itself.
///
/// In an embed `author` and `footer` mean their text, and `fields.Stop loss` the value of the field of that name, in
/// which `*` and `?` are those of globs.
struct ValuePath {
    enum Step {
        case member(String)
        case index(Int)
        /// Every element of an array.
        case all
        /// The values of an embed's fields of these names.
        case field(KeyNames)
    }

    let text: String
    let steps: [Step]

    /// What is wrong with a path, and where, in UTF-8 bytes.
    struct Problem: Error, Equatable {
        var message: String
        var offset: Int
    }

    /// Every value at this path, in order; none where a step finds nothing.
    ///
    /// - Parameter name: makes the name of an embed's field comparable.
    func values(in root: JSONView, name: (String) -> String = { $0 }) -> [JSONView] {
        var values = [root]
        for step in steps {
            switch step {
            case .member(let name): values = values.compactMap { $0.member(name) }
            case .index(let index):
                values = values.compactMap { value in
                    var rest = value.elements.dropFirst(index).makeIterator()
                    return rest.next()
                }
            case .all: values = values.flatMap { Array($0.elements) }
            case .field(let names):
                values = values.flatMap { value -> [JSONView] in
                    let fields = value.elements.filter { names.matches(name($0["name"]?.string ?? "")) }
                    return fields.compactMap { $0["value"] }
                }
            }
        }
        return values.filter { !$0.isNull }
    }

    // MARK: Reading

    /// - Throws: ``Problem`` for what is no path.
    static func json(_ text: String) throws(Problem) -> ValuePath {
        ValuePath(text: text, steps: try steps(text))
    }

    /// A path inside an embed.
    ///
    /// - Throws: ``Problem`` for what is no path, and for a part that embeds do not have.
    static func embed(_ text: String) throws(Problem) -> ValuePath {
        if text.hasPrefix("fields.") {
            let name = String(text.dropFirst("fields.".count))
            guard !KeyNames.canonical(name).isEmpty || name.contains("*") else {
                throw Problem(message: "'fields.' needs the name of a field", offset: text.utf8.count)
            }
            return ValuePath(text: text, steps: [.member("fields"), .field(KeyNames([name]))])
        }
        let steps = try steps(text)
        guard case .member(let part) = steps.first, let leaf = embedParts[part] else {
            let first = text.prefix { $0 != "." && $0 != "[" }
            let known = embedParts.keys.sorted()
            let help =
                nearest(String(first), in: known).map { "did you mean '\($0)'?" }
                ?? "it has \(known.joined(separator: ", "))"
            throw Problem(message: "an embed has no '\(first)'; \(help)", offset: 0)
        }
        return ValuePath(text: text, steps: steps.count == 1 && !leaf.isEmpty ? steps + [.member(leaf)] : steps)
    }

    /// The parts of an embed with text, each with the member that holds it where the part is an object.
    ///
    /// Source: Discord API reference, "Embed Object".
    private static let embedParts = [
        "title": "", "description": "", "url": "", "timestamp": "", "color": "", "type": "", "fields": "",
        "author": "name", "footer": "text", "provider": "name", "image": "url", "thumbnail": "url", "video": "url",
    ]

    private static func steps(_ text: String) throws(Problem) -> [Step] {
        if text == "." { return [] }
        let bytes = Array(text.utf8)
        var steps: [Step] = []
        var position = 0
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "[") {
                guard let close = bytes[position...].firstIndex(of: UInt8(ascii: "]")) else {
                    throw Problem(message: "the bracket is not closed", offset: position)
                }
                let inside = String(decoding: bytes[(position + 1)..<close], as: UTF8.self)
                steps.append(try bracketed(inside, at: position))
                position = close + 1
                continue
            }
            if !steps.isEmpty {
                guard bytes[position] == UInt8(ascii: ".") else {
                    throw Problem(message: "a '.' or '[' is missing here", offset: position)
                }
                position += 1
            }
            let end = bytes[position...].firstIndex { ".[".utf8.contains($0) } ?? bytes.count
            guard end > position else { throw Problem(message: "a name is missing here", offset: position) }
            steps.append(.member(String(decoding: bytes[position..<end], as: UTF8.self)))
            position = end
        }
        guard !steps.isEmpty else { throw Problem(message: "the path is empty", offset: 0) }
        return steps
    }

    private static func bracketed(_ inside: String, at offset: Int) throws(Problem) -> Step {
        if inside == "*" { return .all }
        if let index = Int(inside), index >= 0 { return .index(index) }
        guard inside.count > 2, let quote = inside.first, quote == "\"" || quote == "'", inside.last == quote else {
            throw Problem(message: "in brackets stands a number, '*', or a name in quotes", offset: offset + 1)
        }
        return .member(String(inside.dropFirst().dropLast()))
    }
}
