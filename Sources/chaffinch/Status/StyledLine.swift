/// A line of pieces, each in one style, that can be cut to the width of a terminal.
struct StyledLine {
    private(set) var pieces: [(text: String, style: Terminal.Style?)] = []

    init() {}

    init(_ text: String, _ style: Terminal.Style? = nil) {
        append(text, style)
    }

    var width: Int { pieces.reduce(0) { $0 + $1.text.count } }

    /// Control characters become blanks: what children print must not take over a terminal.
    mutating func append(_ text: String, _ style: Terminal.Style? = nil) {
        pieces.append((Terminal.plain(text), style))
    }

    func cut(to width: Int) -> StyledLine {
        var left = width
        var line = StyledLine()
        for piece in pieces where left > 0 {
            line.pieces.append((String(piece.text.prefix(left)), piece.style))
            left -= piece.text.count
        }
        return line
    }

    /// With the colours of the terminal, where it has some.
    var rendered: String {
        pieces.map { piece in piece.style.map { Terminal.styled(piece.text, $0) } ?? piece.text }.joined()
    }
}
