import BenchmarkKernels
import Foundation

/// Breaks texts and rule files at random, in ways that have hurt parsers before.
struct Mutator {
    var random: SeededRandom

    private static let textPieces = [
        "**", "__", "~~", "||", "```", "`", "> ", "# ", "[a](http://b)", "<t:1:R>", "<:x:1>", "\\", "\u{200B}", "\u{FEFF}",
        "é", "e\u{301}", "🔥", "1️⃣", "👨‍👩‍👧", "𝐁𝐔𝐘", "５", "²", "\u{212A}", "\u{17F}", "İ", "ß", "\u{0}", "\u{1B}[31m", "\r\n",
        "\n\n", "\t", " ", "1,", "1.", "68.5k", "1.234,56", "-", "–", "SL", "TP1", "entry", "buy", "sell", "long", "BTCUSDT",
        "GOLD", "{\"a\":[", "]}", "key: ", "=", "%", "x10", "@", "$", "stop loss", "target", "стоп", "вход",
    ]

    static let rulePieces = [
        ":", "-", "'", "\"", "[", "]", "{", "}", "|", ">", "&a", "*a", "!!str", "#", "%{num}", "%{", "(?<value>", "(", ")",
        "+", "*", "{1,99999}", "{0,3}", "\\", "\n", "  ", "\t", "null", "~", "true", "1e9", "value", "match", "path", "key",
        "engine: json\n", "engine: embed\n", "engine: template\n", "engine: pairs\n", "fields", "examples", "é", "🔥",
        "\u{0}", "<<: *a", "template: '{side}'\n", "priority: 1\n", "status: shadow\n", "[*]", "...", "(?:a+)+$", "(?R)",
        "(*COMMIT)", "(?:.*a){25}", "(a|aa)+", "\\p{L}*", "[\\s\\S]*", "(?=", "(?<!", "\\G", "\\K", "split: '\\n'\n",
        "cover: 'a*'\n", "decimal: comma\n",
    ]

    /// A message's text. Now and then a piece is repeated until it fills a long message.
    mutating func text(_ seed: String, other: String) -> String {
        var bytes = Array(seed.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &random) { change(&bytes, Self.textPieces) }
        switch Int.random(in: 0..<8, using: &random) {
        case 0:
            let length = [500, 2000, 4000, 6000, 20_000, 70_000].randomElement(using: &random)!
            let unit = Int.random(in: 0..<2, using: &random) == 0
                ? Array(Self.textPieces.randomElement(using: &random)!.utf8) : slice(of: bytes, upTo: 40)
            guard !unit.isEmpty else { break }
            var run: [UInt8] = []
            while run.count < length { run += unit }
            bytes.insert(contentsOf: run, at: Int.random(in: 0...bytes.count, using: &random))
        case 1:
            let cut = Int.random(in: 0...bytes.count, using: &random)
            bytes = Array(bytes.prefix(cut)) + slice(of: Array(other.utf8), upTo: 2000)
        default: break
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A rule file's text.
    mutating func rule(_ seed: String) -> String {
        var bytes = Array(seed.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            if Int.random(in: 0..<3, using: &random) > 0 {
                change(&bytes, Self.rulePieces)
                continue
            }
            var lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n")
            let line = Int.random(in: 0..<lines.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: lines.remove(at: line)
            case 1: lines.insert(lines.randomElement(using: &random)!, at: line)
            default: lines.swapAt(line, Int.random(in: 0..<lines.count, using: &random))
            }
            bytes = Array(lines.joined(separator: "\n").utf8)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func change(_ bytes: inout [UInt8], _ pieces: [String]) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 0...12, using: &random))
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes.removeSubrange(place..<end)
        case 1, 2: bytes.insert(contentsOf: pieces.randomElement(using: &random)!.utf8, at: place)
        case 3: bytes.replaceSubrange(place..<end, with: pieces.randomElement(using: &random)!.utf8)
        case 4: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
        default:
            guard place < bytes.count else { return }
            bytes[place] = UInt8.random(in: 0...255, using: &random)
        }
    }

    private mutating func slice(of bytes: [UInt8], upTo length: Int) -> [UInt8] {
        guard !bytes.isEmpty else { return [] }
        let start = Int.random(in: 0..<bytes.count, using: &random)
        let count = Int.random(in: 1...length, using: &random)
        return Array(bytes[start..<min(bytes.count, start + count)])
    }
}
