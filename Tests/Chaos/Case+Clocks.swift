import Foundation
import Model
import TestSupport

/// Clocks that are wrong, clocks that disagree, and clocks that jump. Only the time of day is moved: durations keep
/// their length, as the kernel has it too.
extension Case {
    static let clocks: [Case] = [
        wrong("the clock an hour behind", fetch: -3_600, others: -3_600),
        wrong("the clock an hour ahead", fetch: 3_600, others: 3_600, isLong: true),
        wrong("clocks two hours apart, fetch behind", fetch: -3_600, others: 3_600, isLong: true),
        wrong("clocks two hours apart, fetch ahead", fetch: 3_600, others: -3_600),
        // In a file the workers' own clocks are also those of the database.
        Case("the clock jumps an hour ahead and back", MovedClocks.setting(hasSQLite: true)) { chaos in
            let clocks = try await MovedClocks(for: chaos.rig)
            try clocks.set(0)
            try chaos.rig.start(with: clocks.variables)
            let rest = chaos.seconds(1, 10)
            try await chaos.during {
                for offset in [3_600, 0, -3_600, 0] {
                    try clocks.set(offset)
                    try await clocks.expectWork(at: offset)
                    try await clocks.rig.sleep(seconds: rest)
                }
            }
            try await clocks.expectEverywhere()
        },
        Case("the clock jumps while workers are killed", MovedClocks.setting(), isLong: true) { chaos in
            let rig = chaos.rig
            let clocks = try await MovedClocks(for: rig)
            try clocks.set(0)
            try rig.start(with: clocks.variables)
            try await chaos.during {
                for offset in [3_600, 0, -3_600, 0] {
                    try clocks.set(offset)
                    for worker in ["fetch", "parse", "store"] {
                        let victim = try await rig.running(worker)
                        kill(victim, SIGKILL)
                        let heir = try await rig.running(worker, otherThan: victim)
                        try await eventually("\(worker) says something at \(offset) s") {
                            clocks.lines().contains { $0.pid == heir && clocks.isAbout($0.time, offset) }
                        }
                    }
                }
            }
            try await clocks.expectEverywhere()
        },
    ]

    /// - Parameters:
    ///   - fetch: seconds by which the clock of fetch is ahead.
    ///   - others: that of all others, and of the supervisor.
    private static func wrong(_ name: String, fetch: Int, others: Int, isLong: Bool = false) -> Case {
        Case(name, MovedClocks.setting(), isLong: isLong) { chaos in
            let clocks = try await MovedClocks(for: chaos.rig)
            try clocks.set(others, fetch: fetch)
            try chaos.rig.start(with: clocks.variables)
            let (broker, seconds) = (chaos.servers.broker, chaos.seconds(2, 10))
            try await chaos.during {
                try await clocks.rig.sleep(seconds: seconds)
                // Every worker has something to say of that.
                broker.set(.down)
                try await clocks.rig.sleep(seconds: 0.5)
                broker.set(.none)
                try await clocks.expectLines { $0 == "fetch" ? fetch : others }
            }
            try await clocks.expectEverywhere()
        }
    }
}

/// The clocks of a tree under Debian's `faketime`: each process reads from a file how far its own is ahead.
struct MovedClocks {
    private static let workers = ["fetch", "parse", "store"]
    private static let library = "libfaketime"
    /// Beyond what any process is late by, and far below an hour.
    private static let tolerance: Int64 = 600 * 1_000_000

    let rig: Rig
    let variables: [String: String]

    /// - Throws: ``Skipped`` where the library is not installed.
    init(for rig: Rig) async throws {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        let paths = folders.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
        guard let path = paths.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw Skipped("libfaketime is not installed; on Debian: apt-get install faketime")
        }
        self.rig = rig
        Self.sweep()
        let libraries = "\(try await Self.trueTimers(in: rig.folder)):\(path)"
        variables = [
            "LD_PRELOAD": libraries, "CLOCK_LIBRARIES": libraries, "FETCH_CLOCK": Self.file("fetch", of: rig),
        ].merging(Self.settings(file: Self.file("others", of: rig))) { _, new in new }
    }

    /// libfaketime takes every timer for one by the time of day (its issue 378), so that one of a second by the monotonic
    /// clock lasts an hour where the time of day is an hour behind. This lets them through as they are: nobody here sets
    /// one by the time of day.
    private static func trueTimers(in folder: TemporaryFolder) async throws -> String {
        try await PreloadedLibrary.compile(
            "timers",
            """
            #include <sys/syscall.h>
            #include <sys/timerfd.h>
            #include <unistd.h>
            int timerfd_settime(int timer, int flags, const struct itimerspec *value, struct itimerspec *old) {
                return syscall(SYS_timerfd_settime, timer, flags, value, old);
            }
            int timerfd_gettime(int timer, struct itimerspec *value) {
                return syscall(SYS_timerfd_gettime, timer, value);
            }
            """,
            in: folder
        )
    }

    /// Removes what the library leaves behind of processes that were killed, which would keep a later one with the same
    /// process id from starting.
    static func sweep() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/dev/shm")) ?? [] {
            guard let match = name.wholeMatch(of: /(?:sem\.faketime_sem|faketime_shm)_(\d+)/), let pid = Int32(match.1),
                kill(pid, 0) != 0
            else { continue }
            try? FileManager.default.removeItem(atPath: "/dev/shm/\(name)")
        }
    }

    /// Workers inherit no stranger's variables, so each is given its own.
    static func setting(hasSQLite: Bool = false) -> Rig.Setting {
        let workers = ["setup", "fetch", "parse", "store", "deadletter"].map { worker in
            let file = worker == "fetch" ? "${FETCH_CLOCK}" : "${FAKETIME_TIMESTAMP_FILE}"
            let variables = settings(file: file).merging(["LD_PRELOAD": "${CLOCK_LIBRARIES}"]) { _, new in new }
            let list = variables.sorted { $0.key < $1.key }.map { "\($0): \"\($1)\"" }.joined(separator: ", ")
            return "  \(worker): { env: { \(list) } }"
        }
        return Rig.Setting(extra: (["workers:"] + workers).joined(separator: "\n"), hasSQLite: hasSQLite)
    }

    private static func settings(file: String) -> [String: String] {
        [
            "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_CACHE_DURATION": "1", "DONT_FAKE_MONOTONIC": "1",
            // A file's time does not move with the clock.
            "NO_FAKE_STAT": "1",
        ]
    }

    private static func file(_ name: String, of rig: Rig) -> String {
        rig.folder.url.appending(path: "\(name).clock").path
    }

    /// - Parameters:
    ///   - seconds: by which the clocks are ahead from now on.
    ///   - fetch: that of fetch, where it differs.
    func set(_ seconds: Int, fetch: Int? = nil) throws {
        for (name, seconds) in [("others", seconds), ("fetch", fetch ?? seconds)] {
            let text = seconds < 0 ? "\(seconds)" : "+\(seconds)"
            try text.write(toFile: Self.file(name, of: rig), atomically: true, encoding: .utf8)
        }
    }

    func isAbout(_ time: Timestamp, _ offset: Int) -> Bool {
        abs(time.microseconds - Self.now.microseconds - Int64(offset) * 1_000_000) < Self.tolerance
    }

    private static var now: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) }

    // MARK: Proof that the clocks were moved

    /// That the library is in every process.
    func expectEverywhere() async throws {
        var pids = ["supervisor": rig.supervisor?.pid]
        for worker in Self.workers { pids[worker] = try await rig.running(worker) }
        for (name, pid) in pids {
            let maps = try FileHandle(forReadingAtPath: "/proc/\(pid ?? 0)/maps")?.readToEnd() ?? Data()
            guard maps.firstRange(of: Data(Self.library.utf8)) != nil else {
                throw TimedOut(what: "another clock for \(name), process \(pid ?? 0): \(maps.count) bytes of maps")
            }
        }
    }

    /// That everybody has written something, and nobody anything by the true clock.
    func expectLines(_ offset: (String) -> Int) async throws {
        let everybody = Set(["supervisor", "setup", "deadletter"] + Self.workers)
        try await eventually("everybody writes something") { everybody.isSubset(of: lines().map(\.worker)) }
        for line in lines() where !isAbout(line.time, offset(line.worker)) {
            throw TimedOut(what: "lines of \(line.worker) \(offset(line.worker)) s ahead; one is of \(line.time)")
        }
    }

    func lines() -> [(worker: String, pid: Int32, time: Timestamp)] {
        rig.log.split(separator: "\n").compactMap { line in
            guard let root = try? JSONDocument(String(line)).root, let worker = root["worker"]?.string,
                let time = root["time"]?.string.flatMap({ Timestamp(iso8601: $0) })
            else { return nil }
            return (worker, root["pid"]?.integer.flatMap { Int32(exactly: $0) } ?? 0, time)
        }
    }

    /// That messages come through by this clock: each process writes its time of day somewhere.
    func expectWork(at offset: Int) async throws {
        try await eventually("fetch renews its leases \(offset) s ahead") {
            try await times("select expires_at from fetch_cursors") { isAbout($0, offset) }
        }
        try await eventually("parse reports \(offset) s ahead") {
            let file = rig.folder.url.appending(path: "data/run/rules-1.json")
            let report = (try? Data(contentsOf: file)).flatMap { try? JSONDocument(Array($0)) }
            return report?.root["written_at"]?.string.flatMap { Timestamp(iso8601: $0) }.map { isAbout($0, offset) }
                ?? false
        }
        try await eventually("store writes \(offset) s ahead") {
            try await times("select parsed_at from trading_signal order by message_id desc limit 3") {
                isAbout($0, offset)
            }
        }
    }

    private func times(_ sql: String, _ areFine: (Timestamp) -> Bool) async throws -> Bool {
        let times = try await rig.rows(sql).map { $0[0].flatMap { Timestamp(iso8601: $0) } }
        return !times.isEmpty && times.allSatisfy { $0.map(areFine) ?? false }
    }
}
