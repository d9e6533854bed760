import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

/// Files that are broken at random. `CHAFFINCH_MUTATIONS` sets how many, for longer runs.
@Suite("Mutated rule files")
struct RuleMutationTests {
    private static let rounds =
        ProcessInfo.processInfo.environment["CHAFFINCH_MUTATIONS"].flatMap { Int($0) } ?? 400

    private static let texts = [
        "", "BUY BTC @ 68500\nSL 4620\nTP1 4630", "Pair: BTC\nDirection = buy\nEntry: 1.234,56\nSL: x",
        "```json\n{\"orders\":[{\"symbol\":\"B\",\"order\":{\"side\":\"b\",\"prices\":[1e999]}}]}\n```",
        "\u{0}\u{1B}[31m é\u{301} 🔥 𝐁𝐔𝐘",
        String(repeating: "a ", count: 500), String(repeating: "1,", count: 500) + "x", "[[[[{{{{((((",
    ]

    private static let pieces = [
        ":", "-", "'", "\"", "[", "]", "{", "}", "|", ">", "&a", "*a", "!!str", "#", "%{num}", "%{", "(?<value>", "(",
        ")",
        "+", "*", "{1,99999}", "\\", "\n", "  ", "\t", "null", "~", "true", "1e9", "value", "match", "path", "key",
        "engine: json\n", "engine: embed\n", "engine: template\n", "engine: pairs\n", "fields", "examples", "é", "🔥",
        "\u{0}", "<<: *a",
        "template: '{side}'\n", "priority: 1\n", "[*]", "...", "(?:a+)+$", "(?R)", "(*COMMIT)",
    ]

    @Test("never crash, and never go live half-checked")
    func mutations() throws {
        let document = try String(contentsOf: Project.root.appending(path: "docs/rule-language.md"), encoding: .utf8)
        let whole = try String(
            contentsOf: Project.root.appending(path: "parsers/signals/trading-signals.yaml"),
            encoding: .utf8
        )
        let seeds = document.components(separatedBy: "```yaml\n").dropFirst().map {
            $0.components(separatedBy: "\n```\n")[0]
        }
        var random = SeededRandom(seed: 42)
        var live = 0
        for round in 0..<Self.rounds {
            var text = round % 20 == 19 ? whole : seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) { Self.mutate(&text, &random) }
            live += check(text) ? 1 : 0
        }
        // Mutations that always broke the file, or never, would show nothing.
        #expect(live > Self.rounds / 50 && live < Self.rounds)
    }

    /// Whether the file is accepted.
    private func check(_ text: String) -> Bool {
        let compilation = compile(text)
        let file = compilation.files[0]
        let errors = compilation.diagnostics.errors
        #expect(file.isGood == errors.isEmpty, "\(text)")
        #expect((compilation.rules?.parsers.isEmpty ?? true) == !file.isGood, "\(text)")
        let source = [SourceFile(name: "r1.yaml", text: text)]
        for diagnostic in compilation.diagnostics.all {
            #expect(diagnostic.file == "r1.yaml" && !diagnostic.rendered(sources: source, colour: true).isEmpty)
        }
        guard file.isGood, let rules = compilation.rules else { return false }
        #expect(compilation.examples.map(\.passed) == compilation.examples.map { _ in true }, "\(text)")
        // What was accepted is accepted again by a worker, which spares itself the examples.
        #expect(compile(text, examples: false).files[0].isGood, "\(text)")
        for (number, content) in Self.texts.enumerated() {
            let message = message(content, embed: number % 2 == 0 ? content : nil)
            for record in rules.parse(message).records { check(record, text) }
            _ = rules.explain(message).rendered(colour: true)
        }
        return true
    }

    /// A record has its required fields, whatever the file was.
    private func check(_ record: Record, _ text: String) {
        guard let type = [everyKind, tradingSignal].first(where: { $0.name == record.type }) else { return }
        for field in type.fields where field.required {
            #expect(record.fields.contains { $0.name == field.name }, "\(text)")
        }
        for list in record.lists {
            let fields = type.lists.first { $0.name == list.name }?.fields.filter(\.required) ?? []
            for element in list.elements {
                #expect(fields.allSatisfy { field in element.contains { $0.name == field.name } }, "\(text)")
            }
        }
    }

    private static func mutate(_ text: inout String, _ random: inout SeededRandom) {
        var bytes = Array(text.utf8)
        let place = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 0...12, using: &random))
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes.removeSubrange(place..<end)
        case 1: bytes.insert(contentsOf: pieces.randomElement(using: &random)!.utf8, at: place)
        case 2: bytes.replaceSubrange(place..<end, with: pieces.randomElement(using: &random)!.utf8)
        case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
        default:
            var lines = text.components(separatedBy: "\n")
            let line = Int.random(in: 0..<lines.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: lines.remove(at: line)
            case 1: lines.insert(lines.randomElement(using: &random)!, at: line)
            default: lines.swapAt(line, Int.random(in: 0..<lines.count, using: &random))
            }
            bytes = Array(lines.joined(separator: "\n").utf8)
        }
        text = String(decoding: bytes, as: UTF8.self)
    }
}

/// Patterns known to run without end on other engines, each with a text that makes it.
@Suite("Catastrophic patterns")
struct CatastrophicPatternTests {
    private static let corpus: [(pattern: String, text: String)] = [
        ("(?<value>(a+)+$)", String(repeating: "a", count: 30_000) + "!"),
        ("(?<value>(a|aa)+$)", String(repeating: "a", count: 30_000) + "!"),
        ("(?<value>(a|a?)+$)", String(repeating: "a", count: 30_000) + "!"),
        ("(?<value>(?:.*a){25})", String(repeating: "a", count: 24) + String(repeating: "b", count: 30_000)),
        ("(?<value>(\\w+\\s?)+:)", String(repeating: "word ", count: 6_000) + "!"),
        ("^(?<value>(\\d+,?)+)x$", String(repeating: "1,", count: 15_000)),
        ("(?<value>([a-z0-9]+\\.)+[a-z]{2,}@)", String(repeating: "a.", count: 15_000)),
        ("(?<value>\\s*\\S*\\s*\\S*\\s*\\S*\\s*;)", String(repeating: " ", count: 30_000)),
        ("(?<value>.*.*.*=.*)", String(repeating: "x", count: 30_000)),
        ("(?<value>(x+x+)+y)", String(repeating: "x", count: 30_000)),
        ("(?<value>(?:(?:a*)*)*b)", String(repeating: "a", count: 30_000)),
        ("(?<value>((a*)*)*\\2b)", String(repeating: "a", count: 30_000)),
        ("(?<value>(?=(a+))a*b\\2)", String(repeating: "a", count: 30_000)),
        ("(?<value>^(?:(?:\\(|\\)|x)*)*$)z", String(repeating: "(", count: 30_000)),
        ("(?<value>(\\((?:[^()]|(?2))*\\)))z", String(repeating: "(", count: 30_000)),
        ("(?<value>(?:a?){60}a{60})", String(repeating: "a", count: 59)),
    ]

    @Test("hold no worker: each gives up or is done at once", arguments: corpus.indices)
    func limits(index: Int) throws {
        let (pattern, text) = Self.corpus[index]
        let file = """
            parser: t
            record: sample
            normalize: []
            gate: ["a", "b", "x", "(", "1", " "]
            fields: { name: { match: '\(pattern)' } }
            """
        let compilation = compile(file, examples: false)
        #expect(compilation.messages == [])
        let rules = try #require(compilation.rules)
        let message = message(text)
        _ = rules.parse(message)
        // Processor time of this thread: what else the machine does is no matter. Debug code has most of it.
        let times = (0..<3).map { _ in
            let start = Self.processorTime()
            _ = rules.parse(message)
            return Self.processorTime() - start
        }
        #expect(times.min()! < .milliseconds(250), "\(pattern) took \(times)")
    }

    private static func processorTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    @Test("an example on which a pattern gives up fails, even when it expects nothing")
    func example() {
        let file = """
            parser: t
            record: sample
            fields: { name: { match: '(?<value>(?:\\w+\\s?)+:)' } }
            examples: [{ text: "\(String(repeating: "word ", count: 40))!:!", expect: none }]
            """
        let compilation = compile(file)
        #expect(compilation.examples.map(\.passed) == [false])
        #expect(compilation.examples.first?.got == ["given up: a pattern of 'name' ran into the step limit"])
    }

    @Test("and are refused on load where their own limit shows", arguments: [0, 1, 9, 10])
    func refused(index: Int) {
        let file = "parser: t\nrecord: sample\nfields: { name: { match: '\(Self.corpus[index].pattern)' } }"
        let messages = compile(file).messages
        #expect(messages.contains { $0.contains("runs into the step limit") }, "\(messages)")
    }
}
