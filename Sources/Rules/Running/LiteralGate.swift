/// Literals of which one must occur in a text before any pattern is tried on it. Case does not count.
///
/// ``CandidateIndex`` asks for the gates of all rules at once; this answers for one.
struct LiteralGate {
    let literals: [String]
    /// As ``NormalizedText/fold(_:)`` makes them.
    let folded: [[UInt8]]

    init(_ literals: [String]) {
        self.literals = literals
        folded = literals.map { NormalizedText.fold(Array($0.utf8)) }
    }

    /// `text` is ``NormalizedText/searchable``.
    func admits(_ text: [UInt8]) -> Bool {
        text.withUnsafeBufferPointer { text in
            folded.contains { literal in literal.withUnsafeBufferPointer { Self.contains(text, $0) } }
        }
    }

    private static func contains(
        _ text: UnsafeBufferPointer<UInt8>,
        _ literal: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard let first = literal.first, literal.count <= text.count else { return literal.isEmpty }
        var start = 0
        let last = text.count - literal.count
        while start <= last {
            if text[start].asciiLowercased == first {
                var length = 1
                while length < literal.count && text[start + length].asciiLowercased == literal[length] { length += 1 }
                if length == literal.count { return true }
            }
            start += 1
        }
        return false
    }
}
