import Model

/// One worker's line in the table of `status` and `top`.
struct WorkerColumns {
    struct Column: Sendable {
        let title: String
        /// When the terminal is too narrow, the columns of the highest rank go first; those of rank 0 stay.
        let rank: Int
    }

    static let columns = [
        Column(title: "WORKER", rank: 0), Column(title: "STATE", rank: 0), Column(title: "PID", rank: 5),
        Column(title: "UP", rank: 3), Column(title: "RESTARTS", rank: 1), Column(title: "BREAKER", rank: 6),
        Column(title: "MEMORY", rank: 4), Column(title: "CPU", rank: 4), Column(title: "BEAT", rank: 8),
        Column(title: "RULES", rank: 9), Column(title: "WORK", rank: 2), Column(title: "LAST EXIT", rank: 7),
        Column(title: "COUNTS", rank: 10),
    ]

    let name: String
    let state: String
    let cells: [String]

    /// - Parameter cpuShare: of one core, since the status before this one; without it, since the process started.
    init(_ worker: JSONView, cpuShare: Double?) {
        name = "\(worker["name"]?.string ?? "")/\(worker["replica"]?.integer ?? 1)"
        state = worker["state"]?.string ?? ""
        cells = [
            name, state, worker["pid"]?.integer.map(String.init) ?? "-", Self.time(worker["uptime"]?.double),
            Self.restarts(worker), Self.breaker(worker), Self.memory(worker["memory_bytes"]?.integer),
            Self.cpu(worker, cpuShare), Self.time(worker["heartbeat_age"]?.double),
            worker["rules_generation"]?.integer.map(String.init) ?? "-",
            worker["work_rate"]?.double.map { Self.rate($0) } ?? "-", Self.lastExit(worker["last_exit"]),
            Self.counts(worker["rates"]),
        ]
    }

    static func style(of state: String) -> Terminal.Style {
        switch state {
        case "ready": .green
        case "failed", "open", "degraded": .red
        default: .yellow
        }
    }

    /// `59s`, `12m5s`, `3h20m`, `5d3h`.
    static func time(_ seconds: Double?) -> String {
        guard let seconds, seconds >= 0, seconds < 1e15 else { return "-" }
        let whole = Int(seconds)
        if whole < 60 { return "\(whole)s" }
        if whole < 3600 { return "\(whole / 60)m\(whole % 60)s" }
        if whole < 86_400 { return "\(whole / 3600)h\(whole / 60 % 60)m" }
        return "\(whole / 86_400)d\(whole / 3600 % 24)h"
    }

    /// All, and in brackets those within the breaker's window.
    private static func restarts(_ worker: JSONView) -> String {
        let all = worker["restarts"]?.integer ?? 0
        let recent = worker["restarts_in_window"]?.integer ?? 0
        return recent > 0 ? "\(all) (\(recent))" : "\(all)"
    }

    private static func breaker(_ worker: JSONView) -> String {
        switch worker["breaker"]?["state"]?.string {
        case "open": return "open " + time(worker["next_start_in"]?.double)
        case "half_open": return "half open"
        case "off": return "off"
        default:
            let failures = worker["breaker"]?["failures"]?.integer ?? 0
            return failures == 0 ? "-" : failures == 1 ? "1 failure" : "\(failures) failures"
        }
    }

    private static func memory(_ bytes: Int64?) -> String {
        guard let bytes else { return "-" }
        return bytes < 10 << 20 ? "\(tenths(Double(bytes) / 1_048_576)) MiB" : "\(bytes / 1_048_576) MiB"
    }

    private static func cpu(_ worker: JSONView, _ share: Double?) -> String {
        let sinceStart = worker["cpu_seconds"]?.double.flatMap { used in
            worker["uptime"]?.double.map { used / max($0, 0.1) }
        }
        return (share ?? sinceStart).map { "\(tenths(max(0, $0) * 100)) %" } ?? "-"
    }

    private static func lastExit(_ exit: JSONView?) -> String {
        guard let exit, exit.kind == .object else { return "-" }
        if let signal = exit["signal"]?.integer { return "signal \(signal)" }
        return exit["code"]?.integer.map { "exit \($0)" } ?? "-"
    }

    /// What says how things stand, and counts nothing.
    private static let states: Set = ["parked_seconds", "budget_spent", "channel_budgets_spent"]

    /// Those that change, the fastest first.
    private static func counts(_ rates: JSONView?) -> String {
        let changing =
            rates?.members.compactMap { member in member.value.double.map { (member.key, $0) } }
            .filter { abs($0.1) >= 0.05 && !states.contains($0.0) }.sorted { abs($0.1) > abs($1.1) } ?? []
        return changing.isEmpty ? "-" : changing.map { "\($0.0) \(rate($0.1))" }.joined(separator: "  ")
    }

    private static func rate(_ perSecond: Double) -> String {
        guard abs(perSecond) < 1e15 else { return "-" }
        return abs(perSecond) < 100 ? "\(tenths(perSecond))/s" : "\(Int(perSecond.rounded()))/s"
    }

    private static func tenths(_ value: Double) -> String {
        guard abs(value) < 1e15 else { return "-" }
        let rounded = (value * 10).rounded() / 10
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
}
