/// An instant in UTC to the microsecond, which is as fine as Discord and Postgres write it.
package struct Timestamp: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// Microseconds since 1970-01-01T00:00:00Z; leap seconds are not counted.
    package let microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// From the parts of a date in the proleptic Gregorian calendar; `nil` when one is out of range.
    ///
    /// The day count is Howard Hinnant's `days_from_civil`.
    package init?(
        year: Int,
        month: Int,
        day: Int,
        hour: Int = 0,
        minute: Int = 0,
        second: Int = 0,
        microsecond: Int = 0,
        offsetSeconds: Int = 0
    ) {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.daysInMonth(month, of: year), (0...23).contains(hour), (0...59).contains(minute),
            (0...59).contains(second), (0..<1_000_000).contains(microsecond), abs(offsetSeconds) < 86_400
        else { return nil }
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offsetSeconds
        microseconds = Int64(seconds) * 1_000_000 + Int64(microsecond)
    }

    /// Reads ISO 8601 as RFC 3339 narrows it: `2026-11-22`, or a date, `T` or a space, a time with up to nine digits
    /// of fraction (what is finer than a microsecond is cut) and `Z` or an offset. Without a zone it is UTC.
    package init?(iso8601 text: some StringProtocol) {
        var text = String(text)
        guard let instant = text.withUTF8({ Timestamp(iso8601: $0) }) else { return nil }
        self = instant
    }

    /// As ``init(iso8601:)-(StringProtocol)``, from bytes of UTF-8.
    package init?(iso8601 text: UnsafeBufferPointer<UInt8>) {
        var reader = DigitReader(bytes: text)
        guard let year = reader.digits(4), reader.skip("-"), let month = reader.digits(2), reader.skip("-"),
            let day = reader.digits(2)
        else { return nil }
        var hour = 0
        var minute = 0
        var second = 0
        var microsecond = 0
        var offset = 0
        if !reader.atEnd {
            guard reader.skip("T") || reader.skip("t") || reader.skip(" "), let hours = reader.digits(2),
                reader.skip(":"), let minutes = reader.digits(2)
            else { return nil }
            hour = hours
            minute = minutes
            if reader.skip(":") {
                guard let seconds = reader.digits(2) else { return nil }
                second = seconds
                if reader.skip(".") || reader.skip(",") {
                    guard let fraction = reader.fraction() else { return nil }
                    microsecond = fraction
                }
            }
            if !reader.skip("Z") && !reader.skip("z") && !reader.atEnd {
                let sign = reader.skip("+") ? 1 : reader.skip("-") ? -1 : 0
                guard sign != 0, let hours = reader.digits(2) else { return nil }
                _ = reader.skip(":")
                guard let minutes = reader.digits(2), minutes < 60 else { return nil }
                offset = sign * (hours * 3600 + minutes * 60)
            }
        }
        guard reader.atEnd else { return nil }
        self.init(
            year: year,
            month: month,
            day: day,
            hour: hour,
            minute: minute,
            second: second,
            microsecond: microsecond,
            offsetSeconds: offset
        )
    }

    /// `2026-11-22T21:49:50.123456Z`: always UTC, with six digits of fraction, or none where it is zero.
    package var iso8601: String {
        let seconds = microseconds.floored(by: 1_000_000)
        let fraction = microseconds - seconds * 1_000_000
        let days = seconds.floored(by: 86_400)
        let ofDay = seconds - days * 86_400
        let date = Self.civil(days: days)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let year = String(repeating: "0", count: max(0, 4 - String(date.year).count)) + String(date.year)
        var text = "\(year)-\(two(date.month))-\(two(date.day))T"
        text += "\(two(ofDay / 3600)):\(two(ofDay / 60 % 60)):\(two(ofDay % 60))"
        if fraction != 0 {
            let digits = String(fraction)
            text += "." + String(repeating: "0", count: 6 - digits.count) + digits
        }
        return text + "Z"
    }

    package var description: String { iso8601 }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    private static func daysInMonth(_ month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Howard Hinnant's `civil_from_days`.
    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted.floored(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Int64 {
    fileprivate func floored(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

private struct DigitReader {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    var atEnd: Bool { position == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, UInt32(bytes[position]) == character.value else { return false }
        position += 1
        return true
    }

    mutating func digits(_ count: Int) -> Int? {
        guard position + count <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[position..<position + count] {
            guard 0x30...0x39 ~= byte else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        position += count
        return value
    }

    mutating func fraction() -> Int? {
        var value = 0
        var count = 0
        while position < bytes.count, 0x30...0x39 ~= bytes[position] {
            if count < 6 { value = value * 10 + Int(bytes[position] - 0x30) }
            count += 1
            position += 1
        }
        guard (1...9).contains(count) else { return nil }
        for _ in min(count, 6)..<6 { value *= 10 }
        return value
    }
}
