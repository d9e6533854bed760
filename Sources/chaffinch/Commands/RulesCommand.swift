import ArgumentParser
import Foundation
import Model
import PipelineFile
import Rules
import Workers

struct RulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Lists the rules with what they have done in the running workers.",
        discussion: """
            Examples:
              chaffinch rules
              chaffinch rules gold-desk                  one rule, and where its misses went
              chaffinch rules --json | jq '.rules[] | select(.status == "shadow").counts.shadow'

            TRIED are messages that channels and gate admitted and no earlier rule took; of these the rule read some
            (READ), was not for others (OTHER), failed a later step of some (INVALID), or gave up at a limit. A rule in
            shadow is compared with what the live rules made of the same messages. Counts begin with the generation.
            Without a running supervisor the rules are listed from the files, without counts.
            """
    )

    @OptionGroup var supervisor: SupervisorOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    @Argument(help: "Only these rules; all when none is named.")
    var rules: [String] = []

    func run() throws {
        let overview = try status().map { try running($0) } ?? stopped()
        if let unknown = rules.first(where: { id in !overview.rules.contains { $0.id == id } }) {
            let near =
                nearest(unknown, in: overview.rules.map(\.id)).map { "did you mean '\($0)'?" }
                ?? "'chaffinch rules' lists them"
            throw CommandFailure(ExitCode.usage, "there is no rule '\(unknown)'; \(near)")
        }
        if json {
            Terminal.output(overview.json(only: rules))
        } else {
            RuleTable(overview, only: rules).show()
        }
    }

    /// `nil` where no supervisor answers.
    private func status() throws -> JSONDocument? {
        do {
            return try supervisor.request("status")
        } catch let failure as CommandFailure where failure.exitCode == ExitCode.unavailable {
            return nil
        }
    }

    private func running(_ status: JSONDocument) throws -> RuleOverview {
        let folder = supervisor.folder
        let number = Int(status.root["generation"]?.integer ?? 0)
        let generation = try GenerationStore(dataFolder: folder).load(number)
        let compilation = RuleCompiler.compile(
            generation.rules,
            records: generation.pipeline.records,
            channels: generation.pipeline.channelNames,
            runningExamples: false
        )
        var reports: [RuleReport] = []
        for worker in status.root["workers"]?.elements.map({ $0 }) ?? [] where worker["name"]?.string == "parse" {
            // A file that an earlier process left does not count.
            guard let pid = worker["pid"]?.integer,
                let report = RuleReport(dataFolder: folder, replica: Int(worker["replica"]?.integer ?? 1)),
                Int64(report.pid) == pid
            else { continue }
            reports.append(report)
        }
        return RuleOverview(generation: number, rules: compilation.rules?.parsers ?? [], reports: reports)
    }

    private func stopped() throws -> RuleOverview {
        let check = try supervisor.options.check(resolvingSecrets: false)
        return RuleOverview(generation: nil, rules: check.compilation?.rules?.parsers ?? [], reports: [])
    }
}

/// The rules, and what all replicas together say of them.
struct RuleOverview {
    /// `nil` without a running supervisor.
    let generation: Int?
    let rules: [ParserSummary]
    let reports: [RuleReport]

    /// Only of replicas that run this generation: counts of two generations do not add up.
    var current: [RuleReport] { reports.filter { $0.generation == generation } }

    func counts(of rule: ParserSummary) -> ParserCounts? {
        guard !current.isEmpty, rule.status != .off, rule.engine != .openai else { return nil }
        return current.compactMap { $0.counts[rule.id] }.reduce(into: ParserCounts()) { $0.add($1) }
    }

    func json(only ids: [String]) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            if let generation {
                writer.key("generation")
                writer.value(generation)
            }
            writer.key("replicas")
            writer.array { writer in
                for report in reports {
                    writer.object { writer in
                        for (name, value) in [
                            ("replica", report.replica), ("generation", report.generation),
                            ("messages", report.messages),
                            ("cut_short", report.cutShort), ("oversized", report.oversized),
                        ] {
                            writer.key(name)
                            writer.value(value)
                        }
                        writer.key("written_at")
                        writer.value(report.writtenAt.iso8601)
                    }
                }
            }
            writer.key("rules")
            writer.array { writer in
                for rule in rules where ids.isEmpty || ids.contains(rule.id) { write(rule, &writer) }
            }
        }
        return writer.text
    }

    private func write(_ rule: ParserSummary, _ writer: inout JSONWriter) {
        writer.object { writer in
            for (name, value) in [
                ("id", rule.id), ("status", rule.status.rawValue), ("engine", rule.engine.rawValue),
                ("record", rule.record), ("file", rule.file), ("version", rule.version),
            ] {
                writer.key(name)
                writer.value(value)
            }
            writer.key("priority")
            writer.value(rule.priority)
            writer.key("gate")
            writer.array { writer in
                switch rule.gate {
                case .given(let literals), .derived(let literals): for literal in literals { writer.value(literal) }
                case .none: break
                }
            }
            if let counts = counts(of: rule) {
                writer.key("counts")
                counts.write(to: &writer)
            }
        }
    }
}

/// The overview as aligned columns, one rule a line, with what is worth a look below it.
private struct RuleTable {
    private let overview: RuleOverview
    private let rules: [ParserSummary]
    private let isDetailed: Bool

    init(_ overview: RuleOverview, only ids: [String]) {
        self.overview = overview
        isDetailed = !ids.isEmpty
        rules = overview.rules.filter { ids.isEmpty || ids.contains($0.id) }
            .sorted { ($0.status.order, $0.priority, $0.file) < ($1.status.order, $1.priority, $1.file) }
    }

    func show() {
        let header = ["RULE", "STATUS", "PRIORITY", "RECORD", "TRIED", "READ", "OTHER", "INVALID", "GAVE UP", "TIME"]
        let rows = rules.map(row)
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            cells.indices.map { column in
                let gap = String(repeating: " ", count: widths[column] - cells[column].count)
                return column >= 4 || column == 2 ? gap + cells[column] : cells[column] + gap
            }.joined(separator: "  ")
        }
        Terminal.output(Terminal.styled(line(header), .dim))
        for (rule, row) in zip(rules, rows) {
            Terminal.output(line(row))
            showDetails(rule)
        }
        showState()
    }

    private func row(_ rule: ParserSummary) -> [String] {
        let head = [rule.id, rule.status.rawValue, "\(rule.priority)", rule.record]
        guard let counts = overview.counts(of: rule) else { return head + Array(repeating: "-", count: 6) }
        let other = counts.missing.values.reduce(0, +)
        let time = counts.timed == 0 ? "-" : Self.time(counts.nanoseconds / counts.timed)
        return head + [counts.tried, counts.parsed, other, counts.failed, counts.limitHits].map(String.init) + [time]
    }

    private static func time(_ nanoseconds: Int) -> String {
        nanoseconds < 1_000_000
            ? "\(nanoseconds / 1000).\(nanoseconds % 1000 / 100) µs" : "\(nanoseconds / 1_000_000) ms"
    }

    private func showDetails(_ rule: ParserSummary) {
        if rule.triesEverything {
            note("no gate: tried on every message of its channels")
        }
        guard let counts = overview.counts(of: rule) else { return }
        if isDetailed, !counts.missing.isEmpty { note("other: \(Self.steps(counts.missing)) not found") }
        if !counts.failures.isEmpty { note("invalid: \(Self.steps(counts.failures))") }
        if !counts.limits.isEmpty { note("gave up: \(Self.steps(counts.limits))") }
        guard let shadow = counts.shadow else { return }
        note(
            "beside the live rules: \(shadow.same) same, \(shadow.different) different, "
                + "\(shadow.onlyShadow) read by it alone, \(shadow.onlyLive) by them alone"
        )
        for difference in shadow.differences.suffix(isDetailed ? ShadowCounts.kept : 1) {
            let live = difference.liveParser.map { "live rule \($0) (-)" } ?? "no live rule"
            note("message \(difference.messageID) in channel \(difference.channelID): \(live), shadow (+)")
            Terminal.show(difference: difference.live, difference.shadow, indent: "      ")
        }
    }

    private func note(_ text: String) { Terminal.output(Terminal.styled("    \(text)", .dim)) }

    private static func steps(_ counts: [String: Int]) -> String {
        counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }.joined(
            separator: ", "
        )
    }

    private func showState() {
        guard let generation = overview.generation else {
            return Terminal.output("no supervisor answers: listed from the files, without counts")
        }
        let messages = overview.current.reduce(0) { $0 + $1.messages }
        let replicas = overview.current.count
        Terminal.output(
            "generation \(generation): \(messages) messages in \(replicas) \(replicas == 1 ? "replica" : "replicas") of parse"
        )
        for report in overview.reports where report.generation != generation {
            Terminal.output("parse/\(report.replica) still reports generation \(report.generation)")
        }
        let cutShort = overview.current.reduce(0) { $0 + $1.cutShort }
        if cutShort > 0 {
            Terminal.output(Terminal.styled("\(cutShort) messages took too long and were cut short", .red))
        }
    }
}

extension RuleStatus {
    fileprivate var order: Int { RuleStatus.allCases.firstIndex(of: self) ?? 0 }
}
