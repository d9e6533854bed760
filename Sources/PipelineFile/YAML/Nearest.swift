/// The candidate most like `word`, for "did you mean"; `nil` when none is near enough to be meant. Case does not count.
package func nearest(_ word: String, in candidates: some Sequence<String>) -> String? {
    let wanted = Array(word.lowercased())
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
        let other = Array(candidate.lowercased())
        let limit = max(1, max(wanted.count, other.count) / 3)
        let distance = editDistance(wanted, other)
        if distance <= limit, distance < min(wanted.count, other.count), distance < best?.distance ?? .max {
            best = (distance, candidate)
        }
    }
    return best?.candidate
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
private func editDistance(_ left: [Character], _ right: [Character]) -> Int {
    guard abs(left.count - right.count) <= max(left.count, right.count) / 2 else { return .max }
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        for column in right.indices {
            let cost = left[row] == right[column] ? 0 : 1
            var value = min(last[column + 1] + 1, current[column] + 1, last[column] + cost)
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                value = min(value, beforeLast[column - 1] + 1)
            }
            current.append(value)
        }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}
