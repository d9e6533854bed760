import Testing

@testable import Rules

@Suite("Glob")
struct GlobTests {
    @Test(
        "stars and question marks",
        arguments: [
            ("gold-*", "gold-room", true), ("gold-*", "gold-", true), ("gold-*", "silver", false), ("*", "", true),
            ("*-vip", "a-b-vip", true), ("*-vip", "vip", false), ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXc", false),
            ("a?c", "abc", true), ("a?c", "ac", false), ("abc", "abc", true), ("abc", "abcd", false), ("", "", true),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
        ]
    )
    func matches(pattern: String, name: String, expected: Bool) {
        #expect(Glob(pattern).matches(name) == expected)
    }
}
