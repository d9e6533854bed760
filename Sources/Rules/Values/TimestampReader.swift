package import Model

/// Reads an instant: ISO 8601, or a Discord timestamp such as `<t:1763848190:R>`.
package enum TimestampReader {
    /// `nil` for everything else: a bare number could be seconds or milliseconds, and `11/10` two dates.
    package static func read(_ text: some StringProtocol) -> Timestamp? {
        if text.hasPrefix("<t:"), text.hasSuffix(">") { return discord(text.dropFirst(3).dropLast()) }
        return Timestamp(iso8601: text)
    }

    /// `1763848190` or `1763848190:R`. Source: Discord reference, "Message Formatting", timestamp styles.
    private static func discord(_ text: some StringProtocol) -> Timestamp? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.count == 1 || styles.contains(String(parts[1])),
            let seconds = Int64(parts[0]), abs(seconds) <= 253_402_300_799
        else { return nil }
        return Timestamp(microseconds: seconds * 1_000_000)
    }

    private static let styles: Set<String> = ["t", "T", "d", "D", "f", "F", "s", "S", "R"]
}
