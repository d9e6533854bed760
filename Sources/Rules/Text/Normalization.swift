/// The steps of `normalize:`. The order in which a file names them does not matter: emoji go first, then
/// compatibility forms, then markdown.
package struct Normalization: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Unicode NFKC (`𝐁𝐔𝐘` reads as `BUY`, `５` as `5`, a no-break space as a space), and invisible characters such as
    /// U+200B go. A number sign that is no plain digit never joins one: `10²` reads as `10 2`, not as `102`.
    package static let nfkc = Normalization(rawValue: 1)
    /// Discord's markdown goes, its text stays; what is struck through goes as a whole, since its author took it back.
    package static let stripMarkdown = Normalization(rawValue: 2)
    /// Every emoji, Discord's own included, becomes one space, so that words and numbers beside it stay apart. Of a
    /// keycap such as `1️⃣` the digit stays.
    package static let stripEmoji = Normalization(rawValue: 4)

    /// What a rule file without `normalize:` gets.
    package static let standard: Normalization = [.nfkc, .stripMarkdown, .stripEmoji]

    /// Every combination of the steps.
    static let all: [Normalization] = (0..<8).map { Normalization(rawValue: $0) }

    package static let names: [(name: String, step: Normalization)] = [
        ("nfkc", .nfkc), ("strip_markdown", .stripMarkdown), ("strip_emoji", .stripEmoji),
    ]
}
