/// A Discord id: 64 bits whose upper 42 are the milliseconds since Discord's epoch.
///
/// Source: Discord API reference, "Snowflakes".
package struct Snowflake: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The first second of 2015 UTC, in milliseconds of the Unix epoch.
    package static let epochMilliseconds: Int64 = 1_420_070_400_000

    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Reads the decimal digits Discord writes; `nil` for anything else, also for ids past 2⁶³−1, which no signed
    /// 64-bit column could hold.
    package init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let id = text.withUTF8({ Snowflake(utf8: $0) }) else { return nil }
        self = id
    }

    /// As ``init(_:)-(StringProtocol)``, from bytes.
    package init?(utf8 digits: UnsafeBufferPointer<UInt8>) {
        guard (1...20).contains(digits.count) else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard 0x30...0x39 ~= digit else { return nil }
            let (tens, first) = value.multipliedReportingOverflow(by: 10)
            let (sum, second) = tens.addingReportingOverflow(Int64(digit - 0x30))
            guard !first, !second else { return nil }
            value = sum
        }
        rawValue = UInt64(value)
    }

    /// The id just before everything that was sent at `instant` or later, so `after` this id means "from then on,
    /// inclusive". Zero for instants before Discord's epoch.
    package init(justBefore instant: Timestamp) {
        let milliseconds = instant.microseconds / 1000 - Self.epochMilliseconds
        rawValue = milliseconds <= 0 ? 0 : UInt64(milliseconds) << 22 - 1
    }

    /// When the id was made, to the millisecond.
    package var timestamp: Timestamp {
        Timestamp(microseconds: (Int64(rawValue >> 22) + Self.epochMilliseconds) * 1000)
    }

    /// The same id moved back by `seconds`, for reading with an overlap; never below zero.
    package func earlier(bySeconds seconds: UInt64) -> Snowflake {
        let span = (seconds * 1000) << 22
        return Snowflake(rawValue > span ? rawValue - span : 0)
    }

    package var description: String { String(rawValue) }

    package static func < (left: Snowflake, right: Snowflake) -> Bool { left.rawValue < right.rawValue }
}

extension Snowflake: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Snowflake(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not an id")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
