internal import Foundation

/// Makes texts ready for patterns. It remembers the characters it has seen, so it serves one thread at a time.
final class Normalizer {
    let steps: Normalization
    /// What became of a run of characters beyond ASCII. Keyed by bytes: equal strings may be spelt differently.
    private var runs: [[UInt8]: Run] = [:]
    private static let mostRuns = 4096
    private static let longestRun = 64

    /// A run's bytes as they should be, and for each of them its offset inside the run as written.
    private struct Run {
        var bytes: [UInt8] = []
        var origins: [Int32] = []

        mutating func append(_ part: some Sequence<UInt8>, from origin: Int) {
            for byte in part {
                bytes.append(byte)
                origins.append(Int32(origin))
            }
        }
    }

    init(_ steps: Normalization) {
        self.steps = steps
    }

    func normalize(_ text: String) -> NormalizedText {
        let bytes = Array(text.utf8)
        var result = NormalizedText(unchanged: bytes)
        if !steps.isDisjoint(with: [.nfkc, .stripEmoji]), bytes.contains(where: { $0 >= 0x80 }) {
            result = withCharacters(bytes)
        }
        if !steps.isDisjoint(with: [.stripMarkdown, .stripEmoji]),
            result.bytes.contains(where: { MarkupStripper.isMarkup[Int($0)] })
        {
            result = MarkupStripper(
                result,
                markdown: steps.contains(.stripMarkdown),
                emoji: steps.contains(.stripEmoji)
            ).stripped()
        }
        return result
    }

    /// Replaces characters beyond ASCII. A run starts at the last ASCII character before them, since a mark or a
    /// keycap joins it, and ends before the next.
    private func withCharacters(_ bytes: [UInt8]) -> NormalizedText {
        var output: [UInt8] = []
        var origins: [Int32] = []
        output.reserveCapacity(bytes.count)
        origins.reserveCapacity(bytes.count + 1)
        var position = 0
        while position < bytes.count {
            if bytes[position] < 0x80 && (position + 1 == bytes.count || bytes[position + 1] < 0x80) {
                output.append(bytes[position])
                origins.append(Int32(position))
                position += 1
                continue
            }
            var end = position + 1
            while end < bytes.count && bytes[end] >= 0x80 { end += 1 }
            let run = run(Array(bytes[position..<end]))
            output += run.bytes
            for origin in run.origins { origins.append(Int32(position) + origin) }
            position = end
        }
        origins.append(Int32(bytes.count))
        return NormalizedText(bytes: output, origins: origins)
    }

    private func run(_ written: [UInt8]) -> Run {
        if let known = runs[written] { return known }
        var run = Run()
        var offset = 0
        for character in String(decoding: written, as: UTF8.self) {
            append(character, at: offset, to: &run)
            offset += character.utf8.count
        }
        if written.count <= Self.longestRun && runs.count < Self.mostRuns { runs[written] = run }
        return run
    }

    private func append(_ character: Character, at offset: Int, to run: inout Run) {
        if character.utf8.count == 1 {
            run.append(character.utf8, from: offset)
        } else if steps.contains(.stripEmoji), character.isShownAsEmoji {
            if let base = character.utf8.first, base < 0x80 { run.append([base], from: offset) }
            run.append([0x20], from: offset)
        } else if steps.contains(.nfkc) {
            appendCompatible(character, at: offset, to: &run)
        } else {
            run.append(character.utf8, from: offset)
        }
    }

    private func appendCompatible(_ character: Character, at offset: Int, to run: inout Run) {
        let mapped = String(character).precomposedStringWithCompatibilityMapping.unicodeScalars
            .filter { !$0.properties.isDefaultIgnorableCodePoint }
        let isNumberSign = character.unicodeScalars.first?.properties.generalCategory == .otherNumber
        let joins = isNumberSign && run.bytes.last?.isASCIIDigit == true && mapped.first?.properties.numericType != nil
        if joins { run.append([0x20], from: offset) }
        run.append(String(String.UnicodeScalarView(mapped)).utf8, from: offset)
        // The character after it may be a digit too; a space more does no harm.
        if isNumberSign { run.append([0x20], from: offset) }
    }
}

extension Character {
    /// A picture: an emoji, a flag, a keycap, or one of the signs that may be shown as one (`✔`, `➡`, `™`).
    fileprivate var isShownAsEmoji: Bool {
        unicodeScalars.contains { scalar in
            scalar.value >= 0x80 && (scalar.properties.isEmoji || scalar.value == 0x20E3 || scalar.value == 0xFE0F)
        }
    }
}
