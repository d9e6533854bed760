import Foundation
import TestSupport

/// Clocks that are wrong, and clocks that jump. Durations keep their length: only the time of day is moved.
extension Case {
    static let clocks: [Case] = [
        apart("clocks an hour apart", fetch: "-1h", others: "+0"),
        apart("clocks an hour apart, the other way", fetch: "+1h", others: "-1h"),
        Case("the clock jumps an hour ahead and back") { chaos in
            let rig = chaos.rig
            let clock = FakeTime(in: rig.folder)
            try rig.folder.write("+0", to: "clock")
            let file = rig.folder.url.appending(path: "clock").path
            try rig.start(with: clock.variables(["TIMESTAMP_FILE": file, "CACHE_DURATION": "1"]))
            try await chaos.during {
                for offset in ["+3600", "+0", "-3600", "+0"] {
                    try rig.folder.write(offset, to: "clock")
                    try await rig.sleep(seconds: chaos.seconds(4, 10))
                }
            }
            try rig.expectFakeTime()
        },
    ]

    /// As on two machines: fetch runs under a supervisor of its own.
    private static func apart(_ name: String, fetch: String, others: String) -> Case {
        Case(name) { chaos in
            let rig = chaos.rig
            let clock = FakeTime(in: rig.folder)
            let other = try TemporaryFolder()
            try rig.writePipeline(to: other)
            let variables = try rig.environment.merging(clock.variables(["": fetch])) { _, new in new }
            let second = try rig.launch(in: other, variables, "second", only: "fetch")
            try rig.start(with: clock.variables(["": others]), only: "setup,store,deadletter,parse")
            try await chaos.during { try await rig.sleep(seconds: chaos.seconds(3, 10)) }
            try rig.expectFakeTime()
            await second.stop()
        }
    }
}

extension Rig {
    /// That the library got into the tree, without which nothing would be proved.
    fileprivate func expectFakeTime() throws {
        let maps = try String(contentsOfFile: "/proc/\(supervisor?.pid ?? 0)/maps", encoding: .utf8)
        guard maps.contains(FakeTime.fileName) else { throw TimedOut(what: "another clock") }
    }
}

/// Debian's package `faketime`, but for the names of its variables: workers inherit none of a stranger's, except for
/// those that begin with `LC_`.
private struct FakeTime {
    static let fileName = "chaos-time.so"

    private let folder: TemporaryFolder

    init(in folder: TemporaryFolder) {
        self.folder = folder
    }

    /// - Parameter settings: variables of the library, without `FAKETIME` and `FAKETIME_`.
    func variables(_ settings: [String: String]) throws -> [String: String] {
        let library = folder.url.appending(path: Self.fileName)
        if !FileManager.default.fileExists(atPath: library.path) { try Self.renamed().write(to: library) }
        var variables = ["LD_PRELOAD": library.path]
        // Without a value of SHARED the library sets one before `main`, and by that moves the environment away from
        // where Swift looks for the arguments of the program.
        let shared = "/chaffinch-sem-\(folder.url.lastPathComponent) /chaffinch-shm-\(folder.url.lastPathComponent)"
        for (name, value) in settings.merging(["DONT_FAKE_MONOTONIC": "1", "SHARED": shared], uniquingKeysWith: { $1 })
        {
            variables[name.isEmpty ? "LC_KTIME" : "LC_KTIME_\(name)"] = value
        }
        return variables
    }

    private static func renamed() throws -> Data {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        let paths = folders.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
        guard var data = paths.lazy.compactMap({ FileManager.default.contents(atPath: $0) }).first else {
            throw Skipped("libfaketime is not installed; on Debian: apt-get install faketime")
        }
        let (old, new) = (Data("FAKETIME".utf8), Data("LC_KTIME".utf8))
        while let place = data.firstRange(of: old) { data.replaceSubrange(place, with: new) }
        return data
    }
}
