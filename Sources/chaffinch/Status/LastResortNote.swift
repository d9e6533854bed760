import Model

/// What keeps the last resort from asking, in words.
enum LastResortNote {
    /// - Parameter stats: what a worker counts; only those of the role `openai` lead to lines.
    static func lines(_ worker: String, _ stats: JSONView?) -> [StyledLine] {
        func count(_ name: String) -> Int64 { stats?.member(name)?.integer ?? 0 }
        var lines: [StyledLine] = []
        let parked = count("parked_seconds")
        let rest = WorkerColumns.time(Double(parked))
        if count("budget_spent") > 0 {
            let effect =
                parked > 0
                ? "what waits is asked after midnight UTC, in \(rest)" : "what comes is skipped until midnight UTC"
            lines.append(StyledLine("\(worker) has spent the day's tokens (openai.daily_tokens): \(effect)", .yellow))
        } else if parked > 0 {
            lines.append(
                StyledLine(
                    "\(worker) does not ask the server for \(rest): what waits stays queued; its log says why",
                    .yellow
                )
            )
        }
        let channels = count("channel_budgets_spent")
        if channels > 0 {
            let noun = channels == 1 ? "1 channel has" : "\(channels) channels have"
            lines.append(StyledLine("\(worker): \(noun) spent the day's tokens (openai.channel_tokens)", .yellow))
        }
        return lines
    }
}
