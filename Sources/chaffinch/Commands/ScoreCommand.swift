import ArgumentParser
import Foundation
import Model
import PipelineFile
import Rules
import Workers

struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Measures the rules on messages labelled by hand: what they read, miss, and read wrongly.",
        discussion: """
            Examples:
              chaffinch score --truth labelled.jsonl
              chaffinch score --truth labels.jsonl messages.jsonl       labels line by line in a file of their own
              chaffinch score --truth labelled.jsonl --ignore risk      what does not count
              chaffinch score --truth labelled.jsonl --json | jq .summary

            A line of a truth file is a message and what must come of it, as in the examples of rule files:
              {"text": "GOLD buy 4626", "expect": [{"ticker": "XAUUSD", "side": "long", "entry_price": 4626}]}
              {"text": "hello", "expect": "none"}
            docs/rule-language.md has the rest of the format. Every wrong and every missed message is shown with what
            differs. Exits 1 when a message was read wrongly. Needs no token, broker or database.
            """
    )

    @OptionGroup var options: ConfigOption

    @Option(help: ArgumentHelp("The labels, as JSON lines.", valueName: "file"))
    var truth: String

    @Option(help: ArgumentHelp("Fields and lists that do not count, joined by commas.", valueName: "names"))
    var ignore: String = ""

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Argument(help: "The messages, as JSON lines, where the truth file holds labels alone.")
    var messages: String?

    func run() throws {
        let check = try options.check(resolvingSecrets: false)
        guard let rules = check.compilation?.rules, let pipeline = check.pipeline else {
            throw CommandFailure(ExitCode.configuration, "\(options.config) names no parsers")
        }
        let ignored = Set(ignore.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
        let file = try readTruth(pipeline, ignored)
        let scorer = Scorer(rules: rules, lines: file.lines, ignoring: ignored)
        var progress = ProgressLine(of: file.lines.count, noun: "messages")
        var report = ScoreReport(file: messages ?? truth, problems: file.problems, notCompared: scorer.unlabelled)
        for line in file.lines {
            report.add(scorer.score(line))
            progress.advance()
        }
        progress.end()
        for (channel, count) in file.unknownChannels.sorted(by: { $0.key < $1.key }) {
            Terminal.error(
                "channel '\(channel)' (\(count) lines) is not in \(options.config); rules with 'channels' do not read it"
            )
        }
        if json { Terminal.output(report.json) } else { report.show() }
        if !report.problems.isEmpty {
            let count = report.problems.count
            throw CommandFailure(ExitCode.failed, "\(count) \(count == 1 ? "line" : "lines") cannot be used")
        }
        if report.hasWrong { throw CommandFailure(ExitCode.failed) }
    }

    private func readTruth(_ pipeline: Pipeline, _ ignored: Set<String>) throws -> TruthFile {
        var file = TruthFile(records: pipeline.records, channels: pipeline.channelNames, ignoring: ignored)
        let labels = try lines(of: truth)
        let texts = try messages.map { try lines(of: $0) }
        if let texts, texts.count != labels.count {
            throw CommandFailure(
                ExitCode.usage,
                "\(truth) has \(labels.count) lines and \(messages ?? "") has \(texts.count); they belong together line by line"
            )
        }
        for (index, label) in labels.enumerated() where !label.isEmpty {
            file.read(
                texts.map { $0[index] } ?? label,
                label: texts == nil ? nil : label,
                file: messages ?? truth,
                number: index + 1
            )
        }
        return file
    }

    private func lines(of path: String) throws -> [String] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw CommandFailure(ExitCode.usage, "cannot read '\(path)' as text")
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }
}

/// What came of all lines.
private struct ScoreReport {
    let file: String
    let problems: [String]
    let notCompared: [String]
    private var scored: [ScoredLine] = []
    private var ambiguous = 0

    init(file: String, problems: [String], notCompared: [String]) {
        self.file = file
        self.problems = problems
        self.notCompared = notCompared
    }

    mutating func add(_ line: ScoredLine) {
        if line.line.isAmbiguous { ambiguous += 1 } else { scored.append(line) }
    }

    var hasWrong: Bool { scored.contains { $0.state == .wrong } }

    private func count(_ state: ScoredLine.State, expected: Bool) -> Int {
        scored.count { $0.state == state && $0.isExpected == expected }
    }

    private var expected: Int { scored.count { $0.isExpected } }
    private var read: Int { expected - count(.missed, expected: true) }

    // MARK: Text

    func show() {
        for problem in problems { Terminal.error(problem) }
        for line in scored where line.state != .right { show(line) }
        let coverage = expected == 0 ? "" : ", coverage \(Self.percent(read, of: expected))"
        Terminal.output(
            "\(expected) with records: \(count(.right, expected: true)) right, \(wrong(expected: true)), "
                + "\(count(.missed, expected: true)) missed\(coverage)"
        )
        Terminal.output(
            "\(scored.count - expected) without: \(count(.right, expected: false)) right, \(wrong(expected: false))"
        )
        if ambiguous > 0 { Terminal.output("\(ambiguous) ambiguous, not counted") }
        if !notCompared.isEmpty {
            Terminal.output("not compared, since no line labels them: \(notCompared.joined(separator: ", "))")
        }
        showOtherTypes()
        let parsers = Dictionary(grouping: scored.filter { $0.parsed.outcome == .parsed }) { $0.parsed.parser ?? "" }
        for (parser, lines) in parsers.sorted(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) }) {
            let wrong = lines.count { $0.state == .wrong }
            Terminal.output(
                "  \(parser): \(lines.count) read" + (wrong == 0 ? "" : ", " + Terminal.styled("\(wrong) wrong", .red))
            )
        }
    }

    private func showOtherTypes() {
        let others = scored.filter { !$0.isExpected && $0.state == .right }.flatMap(\.parsed.records).map(\.type)
        guard !others.isEmpty else { return }
        let names = Set(others).sorted().joined(separator: ", ")
        Terminal.output("not counted, since no line labels a record of that type: \(others.count) of \(names)")
    }

    private func wrong(expected: Bool) -> String {
        let count = count(.wrong, expected: expected)
        return count == 0 ? "0 wrong" : Terminal.styled("\(count) wrong", .red)
    }

    private func show(_ line: ScoredLine) {
        let style: Terminal.Style = line.state == .wrong ? .red : .yellow
        let parser = line.parsed.outcome == .parsed ? " by \(line.parsed.parser ?? "")" : ""
        Terminal.output("\(Terminal.styled(line.state.rawValue, style)) \(file):\(line.line.number)\(parser)")
        let text = line.line.message.text.split(separator: "\n", omittingEmptySubsequences: false)
        for part in text.prefix(40) { Terminal.output(Terminal.styled("    | \(Terminal.plain(String(part)))", .dim)) }
        if text.count > 40 { Terminal.output(Terminal.styled("    | … \(text.count - 40) more lines", .dim)) }
        Terminal.show(difference: line.expected, line.got, indent: "    ")
    }

    private static func percent(_ part: Int, of whole: Int) -> String {
        let tenths = (part * 1000 + whole / 2) / whole
        return "\(tenths / 10).\(tenths % 10) %"
    }

    // MARK: JSON

    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("summary")
            writer.object { writer in
                for (name, value) in [
                    ("expected", expected), ("right", count(.right, expected: true)),
                    ("wrong", count(.wrong, expected: true)), ("missed", count(.missed, expected: true)),
                    ("unexpected", scored.count - expected), ("unexpected_right", count(.right, expected: false)),
                    ("unexpected_wrong", count(.wrong, expected: false)), ("ambiguous", ambiguous),
                    ("unusable", problems.count),
                ] {
                    writer.key(name)
                    writer.value(value)
                }
            }
            writer.key("not_compared")
            writer.array { writer in for name in notCompared { writer.value(name) } }
            writer.key("problems")
            writer.array { writer in for problem in problems { writer.value(problem) } }
            writer.key("lines")
            writer.array { writer in
                for line in scored where line.state != .right { write(line, to: &writer) }
            }
        }
        return writer.text
    }

    private func write(_ line: ScoredLine, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("line")
            writer.value(line.line.number)
            writer.key("state")
            writer.value(line.state.rawValue)
            writer.key("text")
            writer.value(line.line.message.text)
            writer.key("expected")
            writer.raw(line.line.written)
            writer.key("got")
            RecordBatch.write(line.parsed, to: &writer)
        }
    }
}
