import ArgumentParser
import Foundation
import Model
import Supervision
import Workers

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows what the supervisor's workers do.",
        discussion: """
            Examples:
              chaffinch status
              chaffinch status --json | jq '.workers[] | {name, state}'
              chaffinch status --live            no output; 0 if the supervisor answers, for health checks

            Exits 0 when every worker is ready, 1 when one is not, 69 when no supervisor answers.
            """
    )

    @OptionGroup var supervisor: SupervisorOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Only say by the exit code whether the supervisor answers.")
    var live = false

    func run() throws {
        let document: JSONDocument
        do {
            document = try supervisor.request("status")
        } catch let failure as CommandFailure where live {
            throw CommandFailure(failure.exitCode)
        }
        if live { return }
        if json { Terminal.output(Array(document.root.raw)) } else { StatusTable(document.root).show() }
        let ready = document.root["workers"]?.elements.allSatisfy { Self.isWell($0) } ?? false
        if !ready { throw CommandFailure(ExitCode.failed) }
    }

    /// A job that ended well is as good as ready.
    private static func isWell(_ worker: JSONView) -> Bool { worker["ready"]?.boolean == true }
}

/// The status as aligned columns, one worker a line.
private struct StatusTable {
    private let name: String
    private let state: String
    private let generation: Int64
    private var rows: [[String]] = []
    private var degradedChannels: Int64 = 0
    private let degraded: String?
    /// Of the last reload.
    private let problems: [String]

    init(_ status: JSONView) {
        name = status["name"]?.string ?? ""
        state = status["state"]?.string ?? ""
        generation = status["generation"]?.integer ?? 0
        degraded = status["degraded"]?.string
        problems = status["reload"]?["problems"]?.elements.compactMap(\.string) ?? []
        guard let workers = status["workers"] else { return }
        for worker in workers.elements {
            degradedChannels += worker["stats"]?["degraded_channels"]?.integer ?? 0
            rows.append([
                "\(worker["name"]?.string ?? "")/\(worker["replica"]?.integer ?? 1)", worker["state"]?.string ?? "",
                worker["pid"]?.integer.map(String.init) ?? "-", Self.age(worker["started_at"]?.string),
                String(worker["restarts"]?.integer ?? 0), Self.memory(worker["memory_bytes"]?.integer),
                Self.lastExit(worker["last_exit"]),
            ])
        }
    }

    func show() {
        Terminal.output("\(Terminal.styled(name, .bold))  \(coloured(state))  generation \(generation)")
        let header = ["WORKER", "STATE", "PID", "UP", "RESTARTS", "MEMORY", "LAST EXIT"]
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String], isHeader: Bool) -> String {
            cells.indices.map { column in
                let padded = cells[column].padding(toLength: widths[column], withPad: " ", startingAt: 0)
                if isHeader { return Terminal.styled(padded, .dim) }
                return column == 1 ? coloured(padded) : padded
            }.joined(separator: "  ")
        }
        if let degraded { Terminal.output(Terminal.styled(degraded, .red)) }
        for problem in problems { Terminal.output("  \(problem)") }
        Terminal.output(line(header, isHeader: true))
        for row in rows { Terminal.output(line(row, isHeader: false)) }
        if degradedChannels > 0 {
            let noun = degradedChannels == 1 ? "1 channel" : "\(degradedChannels) channels"
            Terminal.output(Terminal.styled("\(noun) cannot be read; the log of fetch says why", .red))
        }
    }

    private func coloured(_ state: String) -> String {
        switch state.trimmingCharacters(in: .whitespaces) {
        case "ready": Terminal.styled(state, .green)
        case "failed", "open", "degraded": Terminal.styled(state, .red)
        default: Terminal.styled(state, .yellow)
        }
    }

    private static func age(_ startedAt: String?) -> String {
        guard let started = startedAt.flatMap({ Timestamp(iso8601: $0) }) else { return "-" }
        let seconds = max(0, (Timestamp.now.microseconds - started.microseconds) / 1_000_000)
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m\(seconds % 60)s" }
        return "\(seconds / 3600)h\(seconds / 60 % 60)m"
    }

    private static func memory(_ bytes: Int64?) -> String {
        bytes.map { "\($0 / 1_048_576) MiB" } ?? "-"
    }

    private static func lastExit(_ exit: JSONView?) -> String {
        guard let exit, exit.kind == .object else { return "-" }
        if let signal = exit["signal"]?.integer { return "signal \(signal)" }
        return exit["code"]?.integer.map { "exit \($0)" } ?? "-"
    }
}
