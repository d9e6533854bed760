import BenchmarkKernels
import Foundation
import Model
import PipelineFile
import Rules

/// What a run has seen.
struct Progress {
    var texts = 0
    var rules = 0
    var accepted = 0
    var parsed = 0
    var limitHits = 0
    var cutShort = 0
    var crashes = 0
    var hangs = 0
    var breaches = 0
    /// In microseconds of processor time.
    var slowestMessage = 0
    var slowestRule = 0
    var slowestText = ""

    private var counts: [Int] {
        [texts, rules, accepted, parsed, limitHits, cutShort, breaches, slowestMessage, slowestRule]
    }

    /// With spaces behind, so that it covers what stood there.
    func line(_ number: Int) -> [UInt8] {
        let text = ([number] + counts).map(String.init).joined(separator: " ")
        return Array(text.padding(toLength: 200, withPad: " ", startingAt: 0).utf8)
    }

    static func read(_ path: String) -> (number: Int, progress: Progress) {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let numbers = text.split(separator: " ").compactMap { Int($0) }
        var progress = Progress()
        guard numbers.count == 10 else { return (0, progress) }
        progress.texts = numbers[1]
        progress.rules = numbers[2]
        progress.accepted = numbers[3]
        progress.parsed = numbers[4]
        progress.limitHits = numbers[5]
        progress.cutShort = numbers[6]
        progress.breaches = numbers[7]
        progress.slowestMessage = numbers[8]
        progress.slowestRule = numbers[9]
        return (numbers[0], progress)
    }

    func adding(_ other: Progress) -> Progress {
        var sum = self
        sum.texts += other.texts
        sum.rules += other.rules
        sum.accepted += other.accepted
        sum.parsed += other.parsed
        sum.limitHits += other.limitHits
        sum.cutShort += other.cutShort
        sum.breaches += other.breaches
        sum.slowestMessage = max(slowestMessage, other.slowestMessage)
        sum.slowestRule = max(slowestRule, other.slowestRule)
        return sum
    }

    var summary: String {
        "\(texts + rules) executions: \(texts) texts (\(parsed) parsed, \(limitHits) limit hits, \(cutShort) cut short, "
            + "slowest \(slowestMessage / 1000).\(slowestMessage % 1000 / 100) ms), \(rules) rule files (\(accepted) accepted, "
            + "slowest \(slowestRule / 1000) ms); \(crashes) crashes, \(hangs) hangs, \(breaches) breaches"
    }
}

struct Fuzzer {
    /// What a message may cost at worst, in microseconds of processor time: both budgets of the rules, the one match in
    /// each that outlasts them, and what stands around the patterns.
    static let longestMessage = 500_000
    /// What the checks of one rule file may cost.
    static let longestRule = 10_000_000

    private let corpus: Corpus
    private let seed: UInt64
    private let rules: RuleSet
    private let seeds: [String]
    private var hits = 0
    private var cut = 0
    var progress = Progress()

    init(corpus: Corpus, seed: UInt64) throws {
        self.corpus = corpus
        self.seed = seed
        let compilation = corpus.compile(corpus.ruleFiles, examples: false)
        guard let rules = compilation.rules, !compilation.diagnostics.hasErrors else {
            throw FuzzError(description: compilation.diagnostics.all.first?.description ?? "no rules")
        }
        self.rules = rules
        let reference = (try? String(contentsOfFile: corpus.root + "/docs/rule-language.md", encoding: .utf8)) ?? ""
        let shown = reference.components(separatedBy: "```yaml\n").dropFirst().map {
            $0.components(separatedBy: "\n```\n")[0]
        }
        // The long files take a second each to check; those of the reference have every engine and clause.
        seeds = shown + shown + shown + corpus.ruleFiles.map(\.text)
    }

    /// Every fortieth execution checks a rule file, which costs about as much as the texts between.
    mutating func execute(_ number: Int) {
        var mutator = Mutator(random: SeededRandom(seed: seed &* 1_000_003 &+ UInt64(number)))
        if number % 40 == 39 { checkRule(number, &mutator) } else { checkText(number, &mutator) }
    }

    private mutating func checkText(_ number: Int, _ mutator: inout Mutator) {
        let seed = corpus.texts.randomElement(using: &mutator.random)!
        let text = mutator.text(seed, other: corpus.texts.randomElement(using: &mutator.random)!)
        let message = Corpus.message(number % 5 == 0 ? "" : text, embed: number % 5 < 2 ? text : nil)
        let start = processorNanoseconds()
        let parsed = rules.parse(message)
        let time = Int((processorNanoseconds() - start) / 1000)
        progress.texts += 1
        progress.limitHits = rules.limitHits.values.reduce(0, +)
        progress.cutShort = rules.cutShort
        if parsed.outcome == .parsed { progress.parsed += 1 }
        if time > progress.slowestMessage { (progress.slowestMessage, progress.slowestText) = (time, text) }
        if time > Self.longestMessage { breach(number, "a message took \(time / 1000) ms") }
        for problem in problems(of: parsed) { breach(number, problem) }
        if number % 50 == 0 { _ = rules.explain(message).rendered(colour: true) }
        if String(decoding: parsed.message.payload, as: UTF8.self).isEmpty { breach(number, "the payload is gone") }
    }

    private mutating func checkRule(_ number: Int, _ mutator: inout Mutator) {
        let text = mutator.rule(seeds.randomElement(using: &mutator.random)!)
        let file = SourceFile(name: "mutated.yaml", text: text)
        let start = processorNanoseconds()
        let compilation = corpus.compile([file], examples: true)
        let time = Int((processorNanoseconds() - start) / 1000)
        progress.rules += 1
        progress.slowestRule = max(progress.slowestRule, time)
        if time > Self.longestRule { breach(number, "the checks of a file took \(time / 1000) ms") }
        let isGood = compilation.files[0].isGood
        if isGood == compilation.diagnostics.hasErrors { breach(number, "accepted with errors, or refused without") }
        if isGood == (compilation.rules?.parsers.isEmpty ?? true) { breach(number, "a rule is live half-checked") }
        if isGood, compilation.examples.contains(where: { !$0.passed }) { breach(number, "an example fails, and it is live") }
        for diagnostic in compilation.diagnostics.all { _ = diagnostic.rendered(sources: [file], colour: true) }
        guard isGood, let rules = compilation.rules else { return }
        progress.accepted += 1
        for _ in 0..<20 {
            let seed = corpus.texts.randomElement(using: &mutator.random)!
            let content = mutator.text(seed, other: text)
            let start = processorNanoseconds()
            let parsed = rules.parse(Corpus.message(content, embed: content))
            let time = Int((processorNanoseconds() - start) / 1000)
            progress.slowestMessage = max(progress.slowestMessage, time)
            if time > Self.longestMessage { breach(number, "a message took \(time / 1000) ms") }
            for problem in problems(of: parsed) { breach(number, problem) }
        }
    }

    /// Whatever came in, a record has what its type requires.
    private func problems(of parsed: ParsedMessage) -> [String] {
        guard (parsed.outcome == .parsed) == !parsed.records.isEmpty else { return ["records and outcome disagree"] }
        return parsed.records.flatMap { record -> [String] in
            guard let type = corpus.records.first(where: { $0.name == record.type }) else { return ["an unknown type"] }
            let fields = type.fields.filter { $0.required && record.value(of: $0.name) == nil }
            let elements = type.lists.flatMap { list in
                record.list(named: list.name).flatMap { element in
                    list.fields.filter { $0.required && element.value(of: $0.name) == nil }
                }
            }
            return (fields + elements).map { "a record lacks '\($0.name)'" }
        }
    }

    private mutating func breach(_ number: Int, _ what: String) {
        progress.breaches += 1
        FileHandle.standardError.write(Data("execution \(number) of seed \(seed): \(what)\n".utf8))
    }
}

struct FuzzError: Error, CustomStringConvertible {
    var description: String
}
