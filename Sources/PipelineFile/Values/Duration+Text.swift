/// Durations as the YAML files write them: `500ms`, `5s`, `2m`, `1h`, and a plain `0`.
extension Duration {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]

    /// `nil` for any other text, also for fractions, signs and what passes a hundred years.
    package init?(written text: some StringProtocol) {
        if text == "0" {
            self = .zero
            return
        }
        let digits = text.prefix { ("0"..."9").contains($0) }
        let suffix = text.dropFirst(digits.count)
        guard let unit = Self.units.first(where: { $0.suffix == suffix }), let count = Int64(digits),
            count <= 3_155_760_000_000 / unit.milliseconds
        else { return nil }
        self = .milliseconds(count * unit.milliseconds)
    }

    /// The shortest exact way to write it; what is finer than a millisecond is cut.
    package var written: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0 else { return "0" }
        let unit = Self.units.last { milliseconds % $0.milliseconds == 0 }!
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}

/// Keeps a duration in JSON as people write it (`10s`), where Swift's own coding is a pair of integers.
@propertyWrapper
package struct Written: Sendable, Codable, Equatable {
    package var wrappedValue: Duration

    package init(wrappedValue: Duration) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let duration = Duration(written: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a duration")
        }
        wrappedValue = duration
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(wrappedValue.written)
    }
}

/// As ``Written``, for a duration that may be absent; then its key is absent too.
@propertyWrapper
package struct WrittenIfPresent: Sendable, Codable, Equatable {
    package var wrappedValue: Duration?

    package init(wrappedValue: Duration?) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        wrappedValue = try Written(from: decoder).wrappedValue
    }

    package func encode(to encoder: any Encoder) throws {
        try wrappedValue.map { Written(wrappedValue: $0) }?.encode(to: encoder)
    }
}

// The compiler's Codable code asks a container for the wrapper itself; these overloads let the key be absent.
extension KeyedDecodingContainer {
    func decode(_ type: WrittenIfPresent.Type, forKey key: Key) throws -> WrittenIfPresent {
        try decodeIfPresent(type, forKey: key) ?? WrittenIfPresent(wrappedValue: nil)
    }
}

extension KeyedEncodingContainer {
    mutating func encode(_ value: WrittenIfPresent, forKey key: Key) throws {
        try encodeIfPresent(value.wrappedValue.map { Written(wrappedValue: $0) }, forKey: key)
    }
}
