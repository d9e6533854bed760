/// Aligned columns under a dim header.
struct TextColumns {
    let header: [String]
    var rows: [[String]] = []
    /// The longest a cell of the last column may be; longer ones are cut.
    var lastWidth = 100

    func show() {
        let cells = ([header] + rows).map { $0.map(Terminal.plain) }.map { row in
            row.dropLast() + [row.last.map { $0.count > lastWidth ? $0.prefix(lastWidth - 1) + "…" : $0 } ?? ""]
        }
        let widths = header.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        for (index, row) in cells.enumerated() {
            let line = row.indices.map { column in
                column == row.count - 1
                    ? row[column] : row[column] + String(repeating: " ", count: widths[column] - row[column].count)
            }.joined(separator: "  ")
            Terminal.output(index == 0 ? Terminal.styled(line, .dim) : line)
        }
    }
}

/// A number and its noun, such as `1 letter` or `12 letters`.
func counted(_ count: Int, _ noun: String) -> String { "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")" }

/// With a comma between thousands.
func grouped(_ count: Int) -> String {
    var text = String(abs(count))
    var place = text.endIndex
    while let next = text.index(place, offsetBy: -3, limitedBy: text.startIndex), next > text.startIndex {
        text.insert(",", at: next)
        place = next
    }
    return (count < 0 ? "-" : "") + text
}
