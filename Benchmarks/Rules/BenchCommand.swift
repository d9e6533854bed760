import ArgumentParser
import BenchmarkKernels
import Foundation
import Model
import PipelineFile
import Rules

/// Messages a second through the parse core, text already decoded, on one thread.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures one number of rules and prints one JSON object."
    )

    @Option var root = "."
    @Option var data: String?
    /// 0: the rule files that come with Chaffinch.
    @Option var rules = 100
    @Option var seconds = 3.0
    /// Also says on standard error which rules the time goes to.
    @Flag var byRule = false

    func run() throws {
        let corpus = try Corpus(root: root, data: data)
        let desks = rules > 0 ? DeskRules.make(rules) : []
        let files = rules > 0 ? desks.map(\.file) : corpus.ruleFiles
        let messages = Self.mixed(corpus.texts).map { Corpus.message($0) }
        let before = Self.residentBytes()
        let clock = ContinuousClock()
        let buildStart = processorNanoseconds()
        var compilation: RuleCompilation?
        let build = clock.measure { compilation = corpus.compile(files, examples: false) }
        let buildTime = processorNanoseconds() - buildStart
        guard let set = compilation?.rules, compilation?.diagnostics.hasErrors == false else {
            throw ValidationError("\(compilation?.diagnostics.all.first?.description ?? "no rules")")
        }
        // The first pass translates the patterns it meets to machine code.
        var parsed = 0
        for message in messages { parsed += set.parse(message).outcome == .parsed ? 1 : 0 }
        let memory = Self.residentBytes() - before
        let core = Self.rate(messages, seconds) { _ = set.parse($0) }
        let sequential = try desks.isEmpty ? nil : Self.sequential(desks, messages, seconds)
        var writer = JSONWriter()
        writer.object { writer in
            func member(_ name: String, _ value: Int?) {
                guard let value else { return }
                writer.key(name)
                writer.value(value)
            }
            member("rules", files.count)
            member("messages", messages.count)
            member("parsed", parsed)
            member("build_ms", Int(build / .milliseconds(1)))
            member("build_cpu_ms", Int(buildTime / 1_000_000))
            member("memory_kib", memory / 1024)
            member("per_second", core.cpu)
            member("per_second_wall", core.wall)
            member("sequential_per_second", sequential?.cpu)
        }
        print(writer.text)
        if byRule { Self.tellRules(set) }
    }

    private static func tellRules(_ set: RuleSet) {
        let counts = set.counts.filter { $0.value.timed > 0 }
        let all = counts.values.reduce(0) { $0 + $1.nanoseconds }
        for (id, count) in counts.sorted(by: { $0.value.nanoseconds > $1.value.nanoseconds }).prefix(30) {
            let line = "\(id): tried \(count.tried * 100 / max(1, set.messages)) % of messages, parsed \(count.parsed), "
                + "\(count.nanoseconds / count.timed) ns each, \(count.nanoseconds * 100 / max(1, all)) % of the time, "
                + "missing \(count.missing)\n"
            FileHandle.standardError.write(Data(line.utf8))
        }
    }

    /// In one order for every run, the sources well mixed.
    private static func mixed(_ texts: [String]) -> [String] {
        var random = SeededRandom(seed: 3)
        return texts.shuffled(using: &random)
    }

    /// Messages a second over at least `seconds`, by processor time and by the clock.
    private static func rate(
        _ messages: [Message],
        _ seconds: Double,
        _ body: (Message) -> Void
    ) -> (cpu: Int, wall: Int) {
        let clock = ContinuousClock()
        let start = clock.now
        let cpu = processorNanoseconds()
        var done = 0
        repeat {
            for index in done..<(done + 100) { body(messages[index % messages.count]) }
            done += 100
        } while clock.now - start < .seconds(seconds)
        let wall = (clock.now - start) / .seconds(1)
        return (Int(Double(done) * 1e9 / Double(processorNanoseconds() - cpu)), Int(Double(done) / wall))
    }

    /// The plain way: every rule in turn, until one of its required patterns is not found.
    private static func sequential(
        _ desks: [DeskRules.Desk],
        _ messages: [Message],
        _ seconds: Double
    ) throws -> (cpu: Int, wall: Int) {
        let limits = MatchLimits()
        let rules = try desks.map { try $0.required.map { try Pattern($0, limits: limits) } }
        return rate(messages, seconds) { message in
            let bytes = Array(message.text.utf8)
            bytes.withUnsafeBufferPointer { text in
                for patterns in rules {
                    for pattern in patterns where pattern.match(text) != .matched { break }
                }
            }
        }
    }

    private static func residentBytes() -> Int {
        let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (statm.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * Int(getpagesize())
    }
}
