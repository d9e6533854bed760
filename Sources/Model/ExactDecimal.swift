/// A decimal number with every digit it was written with: coefficient × 10^−scale.
///
/// Values are kept in one canonical form (no trailing zeros in the fraction, no minus zero), so equal numbers are equal
/// values and print alike. Up to 38 digits fit; arithmetic that would need more gives `nil` instead of rounding.
package struct ExactDecimal: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The most digits a value may have, and the most that may stand behind its point.
    package static let maximumDigits = 38

    private let coefficient: Int128
    private let scale: Int

    package init(_ value: some FixedWidthInteger & SignedInteger) {
        self.init(coefficient: Int128(value), scale: 0)!
    }

    private init?(coefficient: Int128, scale: Int) {
        var coefficient = coefficient
        var scale = scale
        // Almost every number fits into 64 bits, where a division costs a tenth.
        if var short = Int64(exactly: coefficient) {
            while scale > 0, short % 10 == 0 {
                short /= 10
                scale -= 1
            }
            coefficient = Int128(short)
        }
        while scale > 0, coefficient % 10 == 0 {
            coefficient /= 10
            scale -= 1
        }
        while scale < 0 {
            let (shifted, overflow) = coefficient.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            coefficient = shifted
            scale += 1
        }
        guard scale <= Self.maximumDigits, coefficient.magnitude < Self.limit else { return nil }
        self.coefficient = coefficient
        self.scale = coefficient == 0 ? 0 : scale
    }

    /// 10^38, the first magnitude with 39 digits.
    private static let limit: UInt128 = (0..<38).reduce(1) { value, _ in value * 10 }

    /// Reads a JSON number literal, with or without exponent (RFC 8259 section 6; a leading `+` and leading zeros are
    /// taken too). `nil` for anything else and for numbers of more than 38 digits.
    package init?(_ text: some StringProtocol) {
        self.init(utf8: text.utf8)
    }

    /// As ``init(_:)-(StringProtocol)``, from an array of bytes. The one below would be unspecialised in other modules.
    package init?(utf8 bytes: [UInt8]) {
        self.init(utf8: bytes[...])
    }

    /// As ``init(_:)-(StringProtocol)``, from bytes.
    package init?(utf8 bytes: some Sequence<UInt8>) {
        var coefficient: Int128 = 0
        var scale = 0
        var negative = false
        var digits = 0
        var inFraction = false
        var exponent: Int?
        var exponentNegative = false
        var exponentDigits = 0
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case 0x30...0x39 where exponent != nil:
                exponent = min(exponent! * 10 + Int(byte - 0x30), 1000)
                exponentDigits += 1
            case 0x30...0x39:
                let (tens, first) = coefficient.multipliedReportingOverflow(by: 10)
                let (sum, second) = tens.addingReportingOverflow(Int128(byte - 0x30))
                guard !first, !second else { return nil }
                coefficient = sum
                digits += 1
                if inFraction { scale += 1 }
            case UInt8(ascii: "-") where index == 0: negative = true
            case UInt8(ascii: "+") where index == 0: break
            case UInt8(ascii: ".") where !inFraction && exponent == nil: inFraction = true
            case UInt8(ascii: "e") where exponent == nil && digits > 0,
                UInt8(ascii: "E") where exponent == nil && digits > 0:
                exponent = 0
            case UInt8(ascii: "-") where exponent == 0 && exponentDigits == 0 && !exponentNegative:
                exponentNegative = true
            case UInt8(ascii: "+") where exponent == 0 && exponentDigits == 0: break
            default: return nil
            }
        }
        guard digits > 0, exponent == nil || exponentDigits > 0, !(inFraction && scale == 0) else { return nil }
        let shift = (exponent ?? 0) * (exponentNegative ? 1 : -1)
        if coefficient == 0 { scale = 0 } else { scale += shift }
        self.init(coefficient: negative ? -coefficient : coefficient, scale: coefficient == 0 ? 0 : scale)
    }

    /// Plain decimal notation, which is also a JSON number literal: `-0.5`, `1234`, `68500`.
    package var description: String {
        var digits = UInt64(exactly: coefficient.magnitude).map { String($0) } ?? String(coefficient.magnitude)
        if scale > 0 {
            if digits.utf8.count <= scale {
                digits = String(repeating: "0", count: scale - digits.utf8.count + 1) + digits
            }
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -scale))
        }
        return coefficient < 0 ? "-" + digits : digits
    }

    /// The value as an integer; `nil` when it has a fraction or does not fit.
    package var integer: Int64? { scale == 0 ? Int64(exactly: coefficient) : nil }

    package var isZero: Bool { coefficient == 0 }

    package func adding(_ other: ExactDecimal) -> ExactDecimal? {
        guard let (left, right, scale) = Self.aligned(self, other) else { return nil }
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? nil : ExactDecimal(coefficient: sum, scale: scale)
    }

    package func subtracting(_ other: ExactDecimal) -> ExactDecimal? { adding(other.negated) }

    package var negated: ExactDecimal { ExactDecimal(coefficient: -coefficient, scale: scale)! }

    package func multiplied(by other: ExactDecimal) -> ExactDecimal? {
        let (product, overflow) = coefficient.multipliedReportingOverflow(by: other.coefficient)
        return overflow ? nil : ExactDecimal(coefficient: product, scale: scale + other.scale)
    }

    /// The quotient cut to `places` digits behind the point; `nil` for a division by zero or when it does not fit.
    package func divided(by other: ExactDecimal, places: Int = 18) -> ExactDecimal? {
        guard other.coefficient != 0 else { return nil }
        var numerator = coefficient
        var exponent = places + other.scale - scale
        var denominator = other.coefficient
        while exponent > 0 {
            let (shifted, overflow) = numerator.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            numerator = shifted
            exponent -= 1
        }
        while exponent < 0 {
            let (shifted, overflow) = denominator.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            denominator = shifted
            exponent += 1
        }
        return ExactDecimal(coefficient: numerator / denominator, scale: places)
    }

    package static func < (left: ExactDecimal, right: ExactDecimal) -> Bool {
        if let (first, second, _) = aligned(left, right) { return first < second }
        // Only numbers too far apart to be brought to one scale come here: their signs, then their sizes decide.
        if (left.coefficient < 0) != (right.coefficient < 0) { return left.coefficient < 0 }
        let leftIsLarger = left.scale < right.scale
        return left.coefficient < 0 ? leftIsLarger : !leftIsLarger
    }

    private static func aligned(_ left: ExactDecimal, _ right: ExactDecimal) -> (Int128, Int128, Int)? {
        var first = left.coefficient
        var second = right.coefficient
        for _ in left.scale..<max(left.scale, right.scale) {
            let (shifted, overflow) = first.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            first = shifted
        }
        for _ in right.scale..<max(left.scale, right.scale) {
            let (shifted, overflow) = second.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            second = shifted
        }
        return (first, second, max(left.scale, right.scale))
    }
}
