/// FNV-1a, 64 bits: the same in every process and release, which Swift's own hashes are not.
package struct StableHash: Sendable {
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    package mutating func add(_ bytes: some Sequence<UInt8>) {
        // From another module the loop below asks a witness for each byte; this one runs on memory.
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            for byte in bytes { add(byte) }
        }
        guard isDone == nil else { return }
        for byte in bytes { add(byte) }
    }

    private mutating func add(_ byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x0100_0000_01b3
    }

    /// Sixteen digits.
    package var hexadecimal: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
