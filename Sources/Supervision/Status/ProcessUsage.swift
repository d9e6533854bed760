internal import Glibc
internal import Processes

/// What a process uses, from `/proc` (proc(5)).
enum ProcessUsage {
    /// The proportional set size: its own pages and its share of common ones; the resident size where the kernel
    /// does not tell.
    static func memoryBytes(pid: Int32) -> Int64? {
        proportional(pid) ?? resident(pid)
    }

    /// Processor time of the process and of its children that it has waited for, in user and kernel mode.
    static func cpuSeconds(pid: Int32) -> Double? {
        guard let fields = fields(pid), fields.count > 14 else { return nil }
        let ticks = fields[11...14].compactMap { Double($0) }.reduce(0, +)
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    static func parent(of pid: Int32) -> Int32? {
        guard let fields = fields(pid), fields.count > 1 else { return nil }
        return Int32(fields[1])
    }

    /// `/proc/PID/stat` from the state on. The name before it, in parentheses, may hold anything, spaces and
    /// parentheses too.
    private static func fields(_ pid: Int32) -> [Substring]? {
        guard let text = ProcFile.read("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: name)...].dropFirst().split(separator: " ")
    }

    private static func proportional(_ pid: Int32) -> Int64? {
        guard let text = ProcFile.read("/proc/\(pid)/smaps_rollup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Pss:") })
        else { return nil }
        return line.split(separator: " ").compactMap { Int64($0) }.first.map { $0 * 1024 }
    }

    private static func resident(_ pid: Int32) -> Int64? {
        guard let text = ProcFile.read("/proc/\(pid)/statm") else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int64(fields[1]) else { return nil }
        return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }
}
