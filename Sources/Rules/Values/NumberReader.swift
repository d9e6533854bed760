package import Model

/// Reads a number as people write it, exactly or not at all: what can be read in two ways is refused, never guessed.
///
/// Understood: a sign, a currency sign before the digits, thousands groups of three (`68,500`, `1,234.5`), a point
/// with digits, and one `k` (thousand) or `m` (million) at the end. With `decimal: comma` point and comma change
/// places. Refused: `1.234,56` read with a point, `1,23` and `0,123` (no thousands groups), `1.234.567`, `4500.`,
/// `5%`, `1e5`, `68 500`.
package struct NumberReader: Sendable, Equatable {
    package enum Mark: String, Sendable, CaseIterable { case point, comma }

    /// What stands between the whole part and the fraction.
    package var mark: Mark

    package init(mark: Mark = .point) {
        self.mark = mark
    }

    /// `nil` for what is no number, is ambiguous, or has more than 38 digits.
    package func read(_ text: some StringProtocol) -> ExactDecimal? {
        var copy = String(text)
        return copy.withUTF8 { read($0) }
    }

    func read(_ bytes: UnsafeBufferPointer<UInt8>) -> ExactDecimal? {
        var rest = bytes.trimmed[...]
        var isNegative = rest.takeSign()
        if rest.takeCurrency() {
            rest = rest.trimmed
            if isNegative == nil { isNegative = rest.takeSign() }
        }
        let exponent = rest.takeSuffix()
        guard let plain = plainDigits(rest, isNegative: isNegative ?? false, exponent: exponent) else { return nil }
        return ExactDecimal(utf8: plain)
    }

    /// The number as JSON writes it, once its groups are known to be right.
    private func plainDigits(
        _ bytes: Slice<UnsafeBufferPointer<UInt8>>,
        isNegative: Bool,
        exponent: UInt8?
    ) -> [UInt8]? {
        let point = mark == .point ? UInt8(ascii: ".") : UInt8(ascii: ",")
        let separator = mark == .point ? UInt8(ascii: ",") : UInt8(ascii: ".")
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count + 3)
        if isNegative { plain.append(UInt8(ascii: "-")) }
        var groupLength = 0
        var groups = 0
        var startsWithZero = false
        var fraction: Int?
        for byte in bytes {
            switch byte {
            case 0x30...0x39:
                if groups == 0, groupLength == 0, fraction == nil { startsWithZero = byte == 0x30 }
                if fraction == nil { groupLength += 1 } else { fraction! += 1 }
                plain.append(byte)
            case separator where fraction == nil:
                guard groups == 0 ? (1...3).contains(groupLength) && !startsWithZero : groupLength == 3 else {
                    return nil
                }
                groups += 1
                groupLength = 0
            case point where fraction == nil:
                guard groups == 0 || groupLength == 3 else { return nil }
                if groupLength == 0 { plain.append(0x30) }
                plain.append(UInt8(ascii: "."))
                fraction = 0
            default: return nil
            }
        }
        guard fraction.map({ $0 > 0 }) ?? (groups == 0 ? groupLength > 0 : groupLength == 3) else { return nil }
        if let exponent { plain += [UInt8(ascii: "e"), exponent] }
        return plain
    }
}

extension Slice<UnsafeBufferPointer<UInt8>> {
    /// True for a minus, false for a plus, `nil` without a sign. The minus may be U+2212, as typesetting writes it.
    fileprivate mutating func takeSign() -> Bool? {
        if first == UInt8(ascii: "-") || first == UInt8(ascii: "+") { return removeFirst() == UInt8(ascii: "-") }
        guard starts(with: [0xE2, 0x88, 0x92]) else { return nil }
        removeFirst(3)
        return true
    }

    fileprivate mutating func takeCurrency() -> Bool {
        guard let sign = Self.currencies.first(where: { starts(with: $0) }) else { return false }
        removeFirst(sign.count)
        return true
    }

    private static var currencies: [[UInt8]] { currencySigns }

    /// The exponent that `k` or `m` stands for, as a digit.
    fileprivate mutating func takeSuffix() -> UInt8? {
        let exponent: UInt8
        switch last {
        case UInt8(ascii: "k"), UInt8(ascii: "K"): exponent = UInt8(ascii: "3")
        case UInt8(ascii: "m"), UInt8(ascii: "M"): exponent = UInt8(ascii: "6")
        default: return nil
        }
        removeLast()
        return exponent
    }
}

private let currencySigns: [[UInt8]] = ["$", "€", "£", "¥", "₹", "₿", "₽", "₺"].map { Array($0.utf8) }
