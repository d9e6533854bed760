/// Notices that the kernel killed a process for want of memory: of all who send SIGKILL it alone leaves no trace but a
/// count.
struct OutOfMemoryKills {
    private let path: String?
    private var seen = 0

    /// Counts from now: in this process's control group where that counts, or else on the whole machine.
    init() {
        let groups = ProcFile.read("/proc/self/cgroup") ?? ""
        path = Self.candidates(groups).first { Self.count(in: ProcFile.read($0) ?? "") != nil }
        note()
    }

    /// Kills before this moment have nothing to do with what ends after it.
    mutating func note() {
        _ = haveGrown()
    }

    /// Whether there were any since the last look.
    mutating func haveGrown() -> Bool {
        guard let count = path.flatMap({ ProcFile.read($0) }).flatMap({ Self.count(in: $0) }) else { return false }
        defer { seen = count }
        return count > seen
    }

    /// In the order of how much they say (cgroups(7), and the kernel's `cgroup-v1/memory.rst`).
    static func candidates(_ groups: String) -> [String] {
        var found: [String] = []
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let group = parts[2] == "/" ? "" : parts[2]
            if parts[0] == "0" && parts[1].isEmpty {
                found += ["/sys/fs/cgroup\(group)/memory.events", "/sys/fs/cgroup/memory.events"]
            } else if parts[1].split(separator: ",").contains("memory") {
                let root = "/sys/fs/cgroup/memory"
                found += ["\(root)\(group)/memory.oom_control", "\(root)/memory.oom_control"]
            }
        }
        return found + ["/proc/vmstat"]
    }

    /// The number after `oom_kill`.
    static func count(in text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "oom_kill" { return Int(words[1]) }
        }
        return nil
    }
}
