import Foundation
import Model
import PipelineFile
import Storage
import Workers

/// One `chaffinch reparse`: from where it was left, if it was, to its end.
struct ReparseRun: Sendable {
    /// What is kept in the data folder while it runs.
    struct Position: Codable, Sendable {
        /// Which reparse this is: its options, and the generation whose rules it runs.
        var key: String
        var generation: Int?
        var startedAt: Timestamp
        /// Every message up to this one is done.
        var done: Snowflake
        var report: Reparse.Report
    }

    let site: Site
    let rules: CurrentRules
    let channels: [Snowflake]
    let parser: String?
    let since: Timestamp?
    let key: String
    let dryRun: Bool
    let json: Bool

    func run() throws -> Reparse.Report {
        let file = dryRun ? nil : try PositionFile<Position>(dataFolder: site.pipeline.dataFolder, name: "reparse")
        var start = Position(
            key: key,
            generation: rules.generation,
            startedAt: .now,
            done: since.map { Snowflake(justBefore: $0) } ?? Snowflake(0),
            report: Reparse.Report()
        )
        if let left = file?.load(), left.key == key, left.generation == rules.generation, left.generation != nil {
            start = left
            Terminal.error("going on with the reparse of \(left.startedAt.toTheSecond), after message \(left.done)")
        }
        let begun = start
        let progress = WorkProgress()
        let report = try site.withStore(for: "reparse") { store in
            var options = Reparse.Options(
                revision: begun.startedAt.microseconds / 1000,
                keeping: site.pipeline.store.messages == .all ? .all : .parsed
            )
            options.channels = channels
            options.parser = parser
            options.dryRun = dryRun
            return try await Reparse(store: store, rules: try rules.compiled(), options: options).run(
                after: begun.done,
                report: begun.report,
                change: { if dryRun { Terminal.output(json ? $0.json : $0.text(colour: Terminal.outputHasColour)) } },
                problem: { progress.note($0) },
                progress: { id, report in
                    progress.show(
                        "\(grouped(report.read)) read, \(grouped(report.changed)) changed, up to \(id.timestamp.toTheSecond)"
                    )
                    var position = begun
                    position.done = id
                    position.report = report
                    try file?.save(position)
                }
            )
        }
        progress.finish()
        file?.remove()
        return report
    }
}

extension Reparse.Report {
    func text(dryRun: Bool) -> String {
        var text = "\(counted(read, "message")) read, \(grouped(changed)) \(dryRun ? "would change" : "changed")"
        let moves = transitions.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        if !moves.isEmpty { text += ": " + moves.map { "\($0.key) \(grouped($0.value))" }.joined(separator: ", ") }
        if leftToOthers > 0 { text += "; \(grouped(leftToOthers)) left as a plugin or the last resort decided" }
        if overtaken > 0 { text += "; \(grouped(overtaken)) overtaken by a newer edit or a deletion" }
        if failed > 0 { text += "; \(grouped(failed)) failed, as said above" }
        return text
    }

    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.numbers([
                ("read", read), ("changed", changed), ("overtaken", overtaken), ("left_to_others", leftToOthers),
                ("failed", failed),
            ])
            writer.key("transitions")
            writer.object { writer in
                for (name, count) in transitions.sorted(by: { $0.key < $1.key }) { writer.numbers([(name, count)]) }
            }
        }
        return writer.text
    }
}

extension Reparse.Change {
    /// Removed and added records below the message, as a diff shows lines.
    func text(colour: Bool) -> String {
        let old = before.records.map { Terminal.plain("\($0.parser ?? "?")  \($0.record.oneLine)") }
        let new = after.records.map { Terminal.plain("\(after.parser ?? "?")  \($0.oneLine)") }
        let outcome = before.outcome?.rawValue ?? "none"
        var lines = [
            "\(before.id)  \(outcome == after.outcome.rawValue ? outcome : "\(outcome) → \(after.outcome.rawValue)")"
        ]
        func line(_ mark: String, _ text: String, _ style: Terminal.Style) -> String {
            colour ? Terminal.styled("  \(mark) \(text)", style) : "  \(mark) \(text)"
        }
        lines += old.filter { !new.contains($0) }.map { line("-", $0, .red) }
        if let reason = before.reason, reason != after.reason { lines.append(line("-", reason, .red)) }
        lines += new.filter { !old.contains($0) }.map { line("+", $0, .green) }
        if let reason = after.reason, reason != before.reason { lines.append(line("+", reason, .green)) }
        return lines.joined(separator: "\n")
    }

    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.pairs([("id", before.id.description)])
            writer.key("before")
            writer.object { writer in
                writer.pairs([
                    ("outcome", before.outcome?.rawValue), ("reason", before.reason), ("parser", before.parser),
                ])
                writer.key("records")
                writer.array { writer in
                    for record in before.records { record.record.write(to: &writer) }
                }
            }
            writer.key("after")
            writer.object { writer in
                writer.pairs([
                    ("outcome", after.outcome.rawValue), ("reason", after.reason), ("parser", after.parser),
                ])
                writer.key("records")
                writer.array { writer in
                    for record in after.records { record.write(to: &writer) }
                }
            }
        }
        return writer.text
    }
}

extension Record {
    /// `trading_signal ticker=BTC side=long  trading_stops[0] type=stop_loss price=67000`
    fileprivate var oneLine: String {
        func pairs(_ values: [NamedValue]) -> String {
            values.map { value in
                var writer = JSONWriter()
                value.value.write(to: &writer)
                guard case .text(let text) = value.value,
                    text.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) })
                else { return " \(value.name)=\(writer.text)" }
                return " \(value.name)=\(text)"
            }.joined()
        }
        let elements = lists.flatMap { list in
            list.elements.enumerated().map { "  \(list.name)[\($0)]\(pairs($1))" }
        }
        return type + pairs(fields) + elements.joined()
    }
}
