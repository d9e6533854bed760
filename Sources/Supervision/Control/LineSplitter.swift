/// Cuts a stream of bytes into lines, within a bound.
struct LineSplitter {
    enum Overflow {
        /// A longer line continues as a further line.
        case split
        /// A longer line is left out and counted.
        case discard
    }

    private let maximum: Int
    private let overflow: Overflow
    private var partial: [UInt8] = []
    private var discarding = false
    private(set) var discarded = 0

    /// - Parameter maximum: bytes of a line without its newline.
    init(maximum: Int, overflow: Overflow) {
        self.maximum = maximum
        self.overflow = overflow
    }

    mutating func append(_ bytes: some Sequence<UInt8>, _ line: ([UInt8]) -> Void) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !discarding { line(partial) }
                partial.removeAll(keepingCapacity: true)
                discarding = false
            } else if !discarding {
                if partial.count == maximum { overflowed(line) }
                if !discarding { partial.append(byte) }
            }
        }
    }

    /// What came after the last newline, if anything.
    mutating func finish(_ line: ([UInt8]) -> Void) {
        if !partial.isEmpty { line(partial) }
        partial = []
        discarding = false
    }

    private mutating func overflowed(_ line: ([UInt8]) -> Void) {
        switch overflow {
        case .discard:
            discarded += 1
            discarding = true
            partial.removeAll(keepingCapacity: true)
        case .split:
            let cut = wholeCharacters
            line(Array(partial[..<cut]))
            partial.removeFirst(cut)
        }
    }

    /// The length without a UTF-8 sequence that the bound would cut in two.
    private var wholeCharacters: Int {
        var cut = partial.count
        while cut > partial.count - 4, partial[cut - 1] & 0xc0 == 0x80 { cut -= 1 }
        guard partial[cut - 1] >= 0xc0 else { return partial.count }
        let length = partial[cut - 1] >= 0xf0 ? 4 : partial[cut - 1] >= 0xe0 ? 3 : 2
        return cut - 1 + length <= partial.count ? partial.count : cut - 1
    }
}
