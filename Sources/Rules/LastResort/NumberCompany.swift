/// Whether a number is written, and yet no number by itself: a part of a time of day, a date, a ratio, a percentage, an
/// address or a mention. Rules have patterns to say where a number must stand; a quote has none.
enum NumberCompany {
    static func isPartOfOther(_ place: Range<Int>, in text: [UInt8]) -> Bool {
        isPartOfRatio(place, text) || isPercentage(place, text) || isPartOfDate(place, text)
            || isInsideMarkup(place, text)
    }

    private static func byte(_ index: Int, _ text: [UInt8]) -> UInt8? {
        text.indices.contains(index) ? text[index] : nil
    }

    /// `10:30` and `1:3`, but not the price in `TP1:4630`, whose colon follows a label.
    private static func isPartOfRatio(_ place: Range<Int>, _ text: [UInt8]) -> Bool {
        let colon = UInt8(ascii: ":")
        if byte(place.upperBound, text) == colon, byte(place.upperBound + 1, text)?.isASCIIDigit == true { return true }
        guard byte(place.lowerBound - 1, text) == colon else { return false }
        var start = place.lowerBound - 1
        while let digit = byte(start - 1, text), digit.isASCIIDigit || digit == UInt8(ascii: ".") { start -= 1 }
        guard start < place.lowerBound - 1 else { return false }
        return byte(start - 1, text).map { !$0.isASCIIWord && $0 < 0x80 } ?? true
    }

    /// `2 %`; without the space the sign touches the number, which is no place for a quote either.
    private static func isPercentage(_ place: Range<Int>, _ text: [UInt8]) -> Bool {
        guard byte(place.upperBound - 1, text) != UInt8(ascii: "%") else { return false }
        var end = place.upperBound
        while byte(end, text) == 0x20 { end += 1 }
        return byte(end, text) == UInt8(ascii: "%")
    }

    /// `2026-03-01`; `4600-4650` is a range of prices.
    private static func isPartOfDate(_ place: Range<Int>, _ text: [UInt8]) -> Bool {
        func isPart(_ index: Int) -> Bool {
            byte(index, text).map { $0.isASCIIDigit || $0 == UInt8(ascii: "-") } ?? false
        }
        var run = place
        while isPart(run.lowerBound - 1) { run = (run.lowerBound - 1)..<run.upperBound }
        while isPart(run.upperBound) { run = run.lowerBound..<(run.upperBound + 1) }
        let parts = text[run].split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return parts.map(\.count) == [4, 2, 2]
    }

    /// Inside an address, or inside what Discord writes in angle brackets: mentions, emoji, times.
    /// Source: Discord reference, "Message Formatting".
    private static func isInsideMarkup(_ place: Range<Int>, _ text: [UInt8]) -> Bool {
        var start = place.lowerBound
        while let before = byte(start - 1, text), !before.isASCIISpace { start -= 1 }
        let before = text[start..<place.lowerBound]
        if String(decoding: before, as: UTF8.self).contains("://") { return true }
        guard let bracket = before.lastIndex(of: UInt8(ascii: "<")), !before[bracket...].contains(UInt8(ascii: ">")),
            let sign = byte(bracket + 1, text)
        else { return false }
        return "@#:/".utf8.contains(sign) || byte(bracket + 2, text) == UInt8(ascii: ":")
    }
}
