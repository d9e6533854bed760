internal import Glibc

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

    mutating func append(_ bytes: [UInt8], _ line: ([UInt8]) -> Void) {
        bytes.withUnsafeBytes { raw in
            var rest = raw[...]
            while let end = Self.newline(in: rest) {
                take(rest[..<end], line)
                // A copy of its own size: `partial` keeps the room that the longest line took.
                if !discarding { partial.withUnsafeBufferPointer { line(Array($0)) } }
                partial.removeAll(keepingCapacity: true)
                discarding = false
                rest = rest[(end + 1)...]
            }
            take(rest, line)
        }
    }

    /// By `memchr`, since everything that children print passes through here.
    private static func newline(in bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        let part = UnsafeRawBufferPointer(rebasing: bytes)
        guard let base = part.baseAddress, let found = memchr(base, 0x0a, part.count) else { return nil }
        return bytes.startIndex + (UnsafeRawPointer(found) - base)
    }

    /// Part of one line.
    private mutating func take(_ part: Slice<UnsafeRawBufferPointer>, _ line: ([UInt8]) -> Void) {
        var rest = part
        while !discarding && partial.count + rest.count > maximum {
            let fitting = maximum - partial.count
            partial += rest.prefix(fitting)
            rest = rest.dropFirst(fitting)
            overflowed(line)
        }
        if !discarding { partial += rest }
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
