import ArgumentParser
import Foundation
import Model
import PipelineFile
import Storage
import Workers

struct SpendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spend",
        abstract: "Shows what the last resort has cost: calls and tokens by day, channel and parser.",
        discussion: """
            Examples:
              chaffinch spend
              chaffinch spend --since 2026-03-01
              chaffinch spend --json | jq '.rows[] | select(.channel == "vip-signals")'

            Days are UTC. 'Set aside' are the tokens of calls under way, and of calls whose cost nobody told, such as one
            that timed out; they count against the budget like the others.
            """
    )

    @OptionGroup var options: ConfigOption

    @Option(help: ArgumentHelp("The first day to show.", valueName: "day"))
    var since: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard let since else { return }
        guard since.utf8.count == 10, Timestamp(iso8601: since + "T00:00:00Z") != nil else {
            throw ValidationError("--since is a day such as 2026-03-01")
        }
    }

    func run() throws {
        let site = try Site(options, needing: [.storeURL])
        let day = since
        let rows = try site.withStore(for: "spend") { try await $0.spend(since: day) }
        let report = SpendReport(rows: rows, pipeline: site.pipeline, today: String(Timestamp.now.iso8601.prefix(10)))
        if json { Terminal.output(report.json) } else { report.show() }
    }
}

/// What was spent, as a table or as JSON.
private struct SpendReport {
    var rows: [SpendRow]
    var pipeline: Pipeline
    /// In UTC.
    var today: String

    private var spentToday: Int { rows.filter { $0.day == today }.reduce(0) { $0 + $1.tokens } }

    /// The pipeline's name for a channel, else its id.
    private func name(_ channel: Snowflake?) -> String {
        guard let channel else { return "-" }
        return pipeline.channels.first { $0.id == channel }?.name ?? channel.description
    }

    var json: [UInt8] {
        var writer = JSONWriter(reserving: 1024)
        writer.object { writer in
            writer.key("today")
            writer.object { writer in
                writer.key("day")
                writer.value(today)
                writer.key("tokens")
                writer.value(spentToday)
                writer.key("daily_tokens")
                writer.value(pipeline.openai.dailyTokens)
            }
            writer.key("rows")
            writer.array { writer in for row in rows { write(row, to: &writer) } }
        }
        return writer.bytes + [0x0A]
    }

    private func write(_ row: SpendRow, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("day")
            writer.value(row.day)
            writer.key("channel_id")
            writer.value(row.channel?.description)
            writer.key("channel")
            writer.value(row.channel.map { name($0) })
            writer.key("parser")
            writer.value(row.parser)
            let counts = [
                ("calls", row.calls), ("failed", row.failed), ("prompt_tokens", row.promptTokens),
                ("completion_tokens", row.completionTokens), ("reserved_tokens", row.reservedTokens),
                ("tokens", row.tokens),
            ]
            for (key, value) in counts {
                writer.key(key)
                writer.value(value)
            }
        }
    }

    func show() {
        guard !rows.isEmpty else { return Terminal.output("the last resort was not asked") }
        let heading = ["DAY", "CHANNEL", "PARSER", "CALLS", "FAILED", "PROMPT", "COMPLETION", "SET ASIDE", "TOKENS"]
        let lines = rows.map { row in
            [row.day, Terminal.plain(name(row.channel)), Terminal.plain(row.parser)]
                + [row.calls, row.failed, row.promptTokens, row.completionTokens, row.reservedTokens, row.tokens]
                .map(String.init)
        }
        let widths = heading.indices.map { column in ([heading] + lines).map { $0[column].count }.max() ?? 0 }
        for (number, line) in ([heading] + lines).enumerated() {
            let cells = line.enumerated().map { column, text in
                let fill = String(repeating: " ", count: widths[column] - text.count)
                return column < 3 ? text + fill : fill + text
            }
            Terminal.output(
                number == 0 ? Terminal.styled(cells.joined(separator: "  "), .dim) : cells.joined(separator: "  ")
            )
        }
        let isSpent = spentToday >= pipeline.openai.dailyTokens
        Terminal.output(
            Terminal.styled(
                "today (\(today), UTC): \(spentToday) of \(pipeline.openai.dailyTokens) tokens",
                isSpent ? .yellow : .bold
            )
        )
    }
}
