/// A text as patterns read it, with the way back to the text as it was written.
struct NormalizedText {
    /// Valid UTF-8.
    private(set) var bytes: [UInt8]
    /// For every byte of `bytes` where it came from, in UTF-8 bytes of the original; one more for the end. Empty when
    /// nothing was changed.
    private var origins: [Int32]
    /// `bytes` in small letters, for literal searches; made when first asked for.
    private(set) lazy var folded: [UInt8] = Self.fold(bytes)

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

    static func fold(_ bytes: [UInt8]) -> [UInt8] {
        if bytes.allSatisfy({ $0 < 0x80 }) { return bytes.map(\.asciiLowercased) }
        return Array(String(decoding: bytes, as: UTF8.self).lowercased().utf8)
    }
}
