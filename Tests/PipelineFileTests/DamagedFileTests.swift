import Testing

@testable import PipelineFile

/// Files as they are while someone types: whatever stands in them, reading ends, and says where.
@Suite struct DamagedFileTests {
    /// Knuth's linear congruential generator: the same damage in every run.
    private struct Damage: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 33)
        }
    }

    private static let scraps = [
        "", " ", "\n", "\t", ":", "- ", "[", "]", "{", "}", "'", "\"", "|\n", ">", "#", "&a ", "*a", "!", "${", "ö",
        "\u{0}",
        "\r\n", "---\n", "~", "0", "-1", "99999999999999999999", "<<: ", "%", "\u{1F600}", "\u{2028}",
    ]

    @Test(arguments: 0..<20 as Range<UInt64>)
    func anyDamageIsReportedInsideTheFile(seed: UInt64) throws {
        var random = Damage(state: seed)
        let sound = Array(try Fixtures.read("full.yaml").unicodeScalars)
        for _ in 0..<50 {
            var scalars = sound
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let start = Int.random(in: 0..<scalars.count, using: &random)
                let end = min(scalars.count, start + Int.random(in: 0...12, using: &random))
                scalars.replaceSubrange(start..<end, with: Self.scraps.randomElement(using: &random)!.unicodeScalars)
            }
            let text = String(String.UnicodeScalarView(scalars))
            let reading = reading(text, environment: ["TOKEN": "abc"], resolvingSecrets: false)
            #expect((reading.pipeline == nil) == reading.diagnostics.hasErrors)
            let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).count
            // YAML knows line breaks that are no newline (U+2028 and the lone carriage return).
            let breaks = text.unicodeScalars.count { $0 == "\u{2028}" || $0 == "\r" }
            for diagnostic in reading.diagnostics.all {
                let mark = diagnostic.mark ?? SourceMark(line: 1, column: 1)
                #expect((1...lines + breaks + 1).contains(mark.line) && mark.column >= 1, "\(diagnostic)")
                #expect(!diagnostic.message.isEmpty)
            }
        }
    }
}
