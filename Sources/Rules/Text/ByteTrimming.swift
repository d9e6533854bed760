extension Slice<UnsafeBufferPointer<UInt8>> {
    /// Without white space at both ends: that of ASCII, and U+00A0.
    var trimmed: Self {
        var slice = self
        while let length = slice.leadingSpace { slice.removeFirst(length) }
        while let length = slice.trailingSpace { slice.removeLast(length) }
        return slice
    }

    private var leadingSpace: Int? {
        guard let first else { return nil }
        if first.isASCIISpace { return 1 }
        return starts(with: [0xC2, 0xA0]) ? 2 : nil
    }

    private var trailingSpace: Int? {
        guard let last else { return nil }
        if last.isASCIISpace { return 1 }
        return count >= 2 && last == 0xA0 && self[endIndex - 2] == 0xC2 ? 2 : nil
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// See ``Swift/Slice/trimmed``.
    var trimmed: Slice<Self> { self[...].trimmed }
}

extension UInt8 {
    var isASCIISpace: Bool { self == 0x20 || 0x09...0x0D ~= self }
    var isASCIIDigit: Bool { 0x30...0x39 ~= self }
    var isASCIIWord: Bool { isASCIIDigit || 0x41...0x5A ~= self || 0x61...0x7A ~= self || self == 0x5F }
    var isASCIIPunctuation: Bool {
        0x21...0x2F ~= self || 0x3A...0x40 ~= self || 0x5B...0x60 ~= self || 0x7B...0x7E ~= self
    }
    /// ASCII capitals as small letters; every other byte as it is.
    var asciiLowercased: UInt8 { 0x41...0x5A ~= self ? self + 0x20 : self }
}
