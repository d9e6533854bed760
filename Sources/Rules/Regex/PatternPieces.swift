internal import PipelineFile

/// The named pieces of `define:`, put into patterns where `%{name}` stands.
///
/// A piece stands in its own group, so that `%{a}+` and `%{a}|b` mean what they look like.
struct PatternPieces {
    private var sources: [String: String] = [:]
    private var expanded: [String: String] = [:]

    /// A pattern with its pieces put in, and the way back from its offsets to those of the pattern as written.
    struct Expansion: Equatable {
        var text: String
        fileprivate(set) var segments: [Segment] = []

        struct Segment: Equatable {
            var expandedStart: Int
            var writtenStart: Int
            var isPiece: Bool
        }

        /// The offset in the pattern as written; for a place inside a piece, where its `%{` stands.
        func writtenOffset(of offset: Int) -> Int {
            guard let segment = segments.last(where: { $0.expandedStart <= offset }) else { return offset }
            return segment.writtenStart + (segment.isPiece ? 0 : offset - segment.expandedStart)
        }
    }

    struct Problem: Error, Equatable {
        var message: String
        /// In UTF-8 bytes of the pattern as written.
        var offset: Int
    }

    init(_ sources: [String: String] = [:]) {
        self.sources = sources
    }

    var names: [String] { sources.keys.sorted() }

    /// Puts the pieces into `pattern`.
    ///
    /// - Throws: ``Problem`` for a piece that is not defined, or that contains itself.
    mutating func expand(_ pattern: String) throws(Problem) -> Expansion {
        try expand(pattern, inside: [])
    }

    private mutating func expand(_ pattern: String, inside: [String]) throws(Problem) -> Expansion {
        let bytes = Array(pattern.utf8)
        var output: [UInt8] = []
        var expansion = Expansion(text: "")
        var position = 0
        var plainStart = 0
        func plain(upTo end: Int) {
            guard end > plainStart else { return }
            expansion.segments.append(
                .init(expandedStart: output.count, writtenStart: plainStart, isPiece: false)
            )
            output += bytes[plainStart..<end]
        }
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "%"), position + 1 < bytes.count,
                bytes[position + 1] == UInt8(ascii: "{"),
                let close = bytes[position...].firstIndex(of: UInt8(ascii: "}"))
            else {
                position += 1
                continue
            }
            plain(upTo: position)
            let name = String(decoding: bytes[(position + 2)..<close], as: UTF8.self)
            expansion.segments.append(
                .init(expandedStart: output.count, writtenStart: position, isPiece: true)
            )
            output += "(?:\(try piece(name, at: position, inside: inside)))".utf8
            position = close + 1
            plainStart = position
        }
        plain(upTo: bytes.count)
        expansion.text = String(decoding: output, as: UTF8.self)
        return expansion
    }

    private mutating func piece(_ name: String, at offset: Int, inside: [String]) throws(Problem) -> String {
        if let known = expanded[name] { return known }
        guard let source = sources[name] else {
            var message = "'%{\(name)}' is not defined"
            if let near = nearest(name, in: sources.keys) {
                message += "; did you mean '%{\(near)}'?"
            } else if !sources.isEmpty {
                message += "; defined are \(names.joined(separator: ", "))"
            }
            throw Problem(message: message, offset: offset)
        }
        guard !inside.contains(name) else {
            let chain = (inside.drop { $0 != name } + [name]).map { "%{\($0)}" }.joined(separator: " → ")
            throw Problem(message: "'%{\(name)}' contains itself: \(chain)", offset: offset)
        }
        do {
            let text = try expand(source, inside: inside + [name]).text
            expanded[name] = text
            return text
        } catch {
            throw Problem(message: error.message, offset: offset)
        }
    }
}
