/// Looks at what stands around a captured number: a capture that is a part of a longer number is a wrong number.
///
/// `TP\d?\W(?<price>\d+k?)` on `TP 4.6k` captures `6k`; `(?<price>[\d.]+)` on `68.5k` captures 68.5, and on `1.234,56`
/// 1.234. Each would pass every check of type, and none is what was written.
enum NumberSurroundings {
    /// The longer number in `text` of which `range` is only a part; `nil` when it is whole.
    static func longerNumber(around range: Range<Int>, in text: UnsafeBufferPointer<UInt8>) -> String? {
        guard isCutBefore(range.lowerBound, text) || isCutAfter(range, text) else { return nil }
        var start = range.lowerBound
        var end = range.upperBound
        while start > 0, isPart(text[start - 1]) { start -= 1 }
        while end < text.count, isPart(text[end]) { end += 1 }
        if end < text.count, text[end].asciiLowercased == letterK || text[end].asciiLowercased == letterM { end += 1 }
        return String(decoding: text[start..<end], as: UTF8.self)
    }

    private static let letterK = UInt8(ascii: "k")
    private static let letterM = UInt8(ascii: "m")

    private static func isMark(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ".") || byte == UInt8(ascii: ",") }
    private static func isPart(_ byte: UInt8) -> Bool { byte.isASCIIDigit || isMark(byte) }

    private static func isCutBefore(_ start: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard start > 0 else { return false }
        if text[start - 1].isASCIIDigit { return true }
        guard isMark(text[start - 1]) else { return false }
        // In " .5" the point belongs to the number; in "SL.5" and "...5" to what is before it.
        guard start > 1 else { return true }
        let before = text[start - 2]
        return before.isASCIIDigit || before.isASCIISpace || before == UInt8(ascii: "$")
    }

    private static func isCutAfter(_ range: Range<Int>, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let end = range.upperBound
        guard end < text.count else { return false }
        let following = end + 1 < text.count ? text[end + 1] : 0x20
        if text[end].isASCIIDigit { return true }
        if isMark(text[end]) { return following.isASCIIDigit }
        guard text[end - 1].isASCIIDigit, !following.isASCIIWord else { return false }
        // "15m" may be minutes, "1.5m" hardly.
        return text[end].asciiLowercased == letterK
            || text[end].asciiLowercased == letterM && text[range].contains(UInt8(ascii: "."))
    }
}
