/// Sizes as the YAML files write them: plain bytes, or `512KiB`, `64MiB`, `1GiB`.
enum ByteCount {
    private static let units: [(suffix: String, bytes: Int)] = [
        ("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ]

    /// `nil` for any other text and past 2⁶².
    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let suffix = text.dropFirst(digits.count)
        guard let unit = units.first(where: { $0.suffix == suffix }), let count = Int(digits),
            count <= (1 << 62) / unit.bytes
        else { return nil }
        return count * unit.bytes
    }
}
