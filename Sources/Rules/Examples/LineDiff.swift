/// Two lists of lines as one: what is expected and missing (`-`) and what came instead (`+`), among what agrees.
package enum LineDiff {
    package static func lines(_ expected: [String], _ got: [String]) -> [String] {
        var lines: [String] = []
        var removed: Set<Int> = []
        var inserted: Set<Int> = []
        for change in got.difference(from: expected) {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): inserted.insert(offset)
            }
        }
        var (left, right) = (0, 0)
        while left < expected.count || right < got.count {
            if removed.contains(left) {
                lines.append("- " + expected[left])
                left += 1
            } else if inserted.contains(right) {
                lines.append("+ " + got[right])
                right += 1
            } else {
                lines.append("  " + expected[left])
                left += 1
                right += 1
            }
        }
        return lines
    }
}
