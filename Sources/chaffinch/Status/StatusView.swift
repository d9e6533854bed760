import Model

/// The status for people: the tree, its workers as a table, and what is amiss with which.
struct StatusView {
    private let status: JSONView
    private let workers: [(json: JSONView, columns: WorkerColumns)]

    /// - Parameter before: the status before this one and how long ago that was, to tell who uses the processor now.
    init(_ status: JSONView, before: (status: JSONView, seconds: Double)? = nil) {
        self.status = status
        let past = before.map { Self.processorTimes($0.status) } ?? [:]
        workers = (status["workers"].map { Array($0.elements) } ?? []).map { worker in
            var share: Double?
            if let before, let pid = worker["pid"]?.integer, let used = worker["cpu_seconds"]?.double,
                let earlier = past[pid]
            {
                share = (used - earlier) / max(before.seconds, 0.1)
            }
            return (worker, WorkerColumns(worker, cpuShare: share))
        }
    }

    private static func processorTimes(_ status: JSONView) -> [Int64: Double] {
        (status["workers"].map { Array($0.elements) } ?? []).reduce(into: [:]) { times, worker in
            if let pid = worker["pid"]?.integer { times[pid] = worker["cpu_seconds"]?.double }
        }
    }

    /// Whether nothing is degraded. A job that ended well is as good as ready.
    var allReady: Bool {
        status["state"]?.string != "degraded" && workers.allSatisfy { $0.json["ready"]?.boolean == true }
    }

    /// - Parameter width: of the terminal; `nil` shows all columns.
    func lines(width: Int?) -> [StyledLine] { heading + table(width: width, rows: nil) + notes }

    /// What fits a screen: when not all workers do, those that are not well come first.
    func lines(width: Int, height: Int) -> [StyledLine] {
        let heading = heading
        let room = max(1, height - heading.count - 1)
        let lines = heading + table(width: width, rows: room) + notes
        return lines.prefix(height).map { $0.cut(to: width) }
    }

    private var heading: [StyledLine] {
        var line = StyledLine(status["name"]?.string ?? "", .bold)
        let state = status["state"]?.string ?? ""
        line.append("  ")
        line.append(state, WorkerColumns.style(of: state))
        line.append("  generation \(status["generation"]?.integer ?? 0)")
        if let pid = status["pid"]?.integer { line.append("  pid \(pid)") }
        var lines = [line]
        if let reason = status["degraded"]?.string { lines.append(StyledLine("degraded: \(reason)", .red)) }
        for problem in status["reload"]?["problems"]?.elements.compactMap(\.string) ?? [] {
            lines.append(StyledLine("  \(problem)", .red))
        }
        if let dropped = status["log_lines_dropped"]?.integer, dropped > 0 {
            lines.append(StyledLine("\(dropped) log lines were dropped: the log is read too slowly", .yellow))
        }
        return lines
    }

    // MARK: The table

    private func table(width: Int?, rows room: Int?) -> [StyledLine] {
        var shown = workers.map(\.columns)
        var hidden = 0
        if let room, shown.count > room {
            let unwell = workers.filter { Self.isAmiss($0.json) }.map(\.columns)
            shown = Array((unwell + workers.filter { !Self.isAmiss($0.json) }.map(\.columns)).prefix(max(1, room - 1)))
            hidden = workers.count - shown.count
        }
        let titles = WorkerColumns.columns.map(\.title)
        let widths = titles.indices.map { column in
            ([titles[column]] + shown.map { $0.cells[column] }).map(\.count).max() ?? 0
        }
        let columns = Self.fitting(widths, in: width).filter { column in
            // Nothing to say about any worker.
            WorkerColumns.columns[column].rank < 2 || shown.contains { $0.cells[column] != "-" }
        }
        func line(_ cells: [String], _ style: (Int) -> Terminal.Style?) -> StyledLine {
            var line = StyledLine()
            for column in columns {
                let isLast = column == columns.last
                let padding = isLast ? 0 : max(0, widths[column] - cells[column].count) + 2
                line.append(cells[column], style(column))
                if padding > 0 { line.append(String(repeating: " ", count: padding)) }
            }
            return width.map { line.cut(to: $0) } ?? line
        }
        let head = line(titles) { _ in .dim }
        let body = shown.map { worker in
            line(worker.cells) { $0 == 1 ? WorkerColumns.style(of: worker.state) : nil }
        }
        let more = hidden > 0 ? [StyledLine("and \(hidden) more; a higher terminal shows them", .dim)] : []
        return [head] + body + more
    }

    private static func fitting(_ widths: [Int], in width: Int?) -> [Int] {
        var columns = Array(widths.indices)
        guard let width else { return columns }
        func total() -> Int { columns.reduce(-2) { $0 + widths[$1] + 2 } }
        while total() > width, let last = columns.max(by: { rank($0) < rank($1) }), rank(last) > 0 {
            // The last column is text that may be cut.
            if rank(last) == 10, total() - widths[last] + 10 <= width { break }
            columns.removeAll { $0 == last }
        }
        return columns
    }

    private static func rank(_ column: Int) -> Int { WorkerColumns.columns[column].rank }

    // MARK: What is amiss

    private static func isAmiss(_ worker: JSONView) -> Bool { worker["ready"]?.boolean != true }

    private var notes: [StyledLine] {
        var lines: [StyledLine] = []
        for (worker, columns) in workers {
            if let service = worker["waiting_for"]?.string {
                lines.append(StyledLine("\(columns.name) waits for \(service)", .yellow))
            }
            lines += LastResortNote.lines(columns.name, worker["stats"])
            let failed = worker["last_exit"]?.kind == .object
            guard failed, Self.isAmiss(worker) || worker["restarts_in_window"]?.integer ?? 0 > 0 else { continue }
            lines.append(failure(worker, columns))
            for line in worker["log"].map({ Array($0.elements) }) ?? [] {
                lines.append(StyledLine("    " + (line.string ?? ""), .dim))
            }
        }
        let channels = workers.reduce(Int64(0)) { $0 + ($1.json["stats"]?["degraded_channels"]?.integer ?? 0) }
        if channels > 0 {
            let noun = channels == 1 ? "1 channel" : "\(channels) channels"
            lines.append(StyledLine("\(noun) cannot be read; the log of fetch says why", .red))
        }
        let unread = workers.reduce(Int64(0)) { $0 + ($1.json["stats"]?["unread_pages"]?.integer ?? 0) }
        if unread > 0 {
            let text = unread == 1 ? "1 page waits" : "\(unread) pages wait"
            lines.append(StyledLine("\(text) in queues that nobody reads; the log of setup names them", .yellow))
        }
        return lines
    }

    private func failure(_ worker: JSONView, _ columns: WorkerColumns) -> StyledLine {
        let exit = worker["last_exit"]
        var line = StyledLine("\(columns.name): ", .bold)
        line.append(exit?["reason"]?.string ?? "ended", .red)
        if let time = exit?["at"]?.string { line.append(" at \(time)") }
        if let wait = worker["next_start_in"]?.double { line.append("; starts again in \(WorkerColumns.time(wait))") }
        return line
    }
}
