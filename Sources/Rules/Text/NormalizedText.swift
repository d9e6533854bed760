/// A text as patterns read it, with the way back to the text as it was written.
struct NormalizedText {
    /// Valid UTF-8.
    private(set) var bytes: [UInt8]
    /// For every byte of `bytes` where it came from, in UTF-8 bytes of the original; one more for the end. Empty when
    /// nothing was changed.
    private var origins: [Int32]
    /// `bytes` for literal searches that know the two cases of ASCII themselves: where there is more, folded. Made anew
    /// each time.
    var searchable: [UInt8] { bytes.allSatisfy { $0 < 0x80 } ? bytes : Self.fold(bytes) }

    init(unchanged bytes: [UInt8]) {
        self.bytes = bytes
        origins = []
    }

    init(bytes: [UInt8], origins: [Int32]) {
        precondition(origins.count == bytes.count + 1)
        self.bytes = bytes
        self.origins = origins
    }

    var isUnchanged: Bool { origins.isEmpty }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Where byte `offset` came from, in UTF-8 bytes of the original.
    func origin(of offset: Int) -> Int { origins.isEmpty ? offset : Int(origins[offset]) }

    /// The part of the original that `range` was read from, with what was taken out right behind it.
    func origin(of range: Range<Int>) -> Range<Int> {
        let start = origin(of: range.lowerBound)
        return start..<max(start, origin(of: range.upperBound))
    }

    /// Small letters. The two characters beyond ASCII that PCRE2 takes for a letter of ASCII become that letter: U+212A
    /// is a `k` to Unicode's own lowercase, U+017F is not yet an `s`.
    static func fold(_ bytes: [UInt8]) -> [UInt8] {
        var folded: [UInt8] = []
        folded.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            guard bytes[position] >= 0x80 else {
                folded.append(bytes[position].asciiLowercased)
                position += 1
                continue
            }
            var end = position
            while end < bytes.count && bytes[end] >= 0x80 { end += 1 }
            for scalar in String(decoding: bytes[position..<end], as: UTF8.self).lowercased().unicodeScalars {
                folded += scalar == "\u{17F}" ? [UInt8(ascii: "s")] : Array(UTF8.encode(scalar)!)
            }
            position = end
        }
        return folded
    }
}
