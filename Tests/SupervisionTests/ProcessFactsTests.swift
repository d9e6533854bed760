import Foundation
import Processes
import Testing

@testable import Supervision

/// What the supervisor reads of itself and its machine.
@Suite struct ProcessFactsTests {
    @Test func theArgumentsAreThoseOfTheCommandLine() {
        #expect(ProgramArguments.all == Array(CommandLine.arguments.dropFirst()))
    }

    @Test func killsForWantOfMemoryAreCounted() {
        #expect(OutOfMemoryKills.count(in: "low 0\noom 3\noom_kill 2\noom_group_kill 0\n") == 2)
        #expect(OutOfMemoryKills.count(in: "oom_kill_disable 0\nunder_oom 0\noom_kill 12") == 12)
        #expect(OutOfMemoryKills.count(in: "low 0\n") == nil)
        let places = OutOfMemoryKills.candidates("12:pids:/x\n5:cpu,memory:/docker/1\n0::/docker/1\n")
        #expect(
            places == [
                "/sys/fs/cgroup/memory/docker/1/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control",
                "/sys/fs/cgroup/docker/1/memory.events", "/sys/fs/cgroup/memory.events", "/proc/vmstat",
            ]
        )
    }

    @Test func whatTheKernelKilledForWantOfMemoryIsToldFromWhatSomebodyKilled() {
        let a = ReplicaID("a")
        for (cause, reason) in [("out of memory", "killed by SIGKILL: out of memory"), (nil, "killed by SIGKILL")] {
            var play = Play([worker("a")])
            _ = play.event(.begin)
            _ = play.started(a)
            _ = play.event(.exited(a, .signalled(9), groupRemains: false, cause: cause))
            #expect(play.machine.replica(a)?.lastExit?.reason == reason)
        }
    }

    @Test func anEditOfAnyKindIsTheLastChange() throws {
        let folder = try RunningTree.makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let rules = folder.appendingPathComponent("rules")
        try FileManager.default.createDirectory(at: rules, withIntermediateDirectories: true)
        let (file, rule) = (folder.appendingPathComponent("file"), rules.appendingPathComponent("rule"))
        for place in [file, rule] { try Data("x".utf8).write(to: place) }
        var last = FileSurvey(WatchedPaths(file: file.path, folder: rules.path)).lastChange
        let old = [FileAttributeKey.modificationDate: Date(timeIntervalSince1970: 1)]
        let edits: [() throws -> Void] = [
            { try Data("y".utf8).write(to: rule) },
            { try Data("z".utf8).write(to: file, options: .atomic) },
            // As `cp -p` and `tar` do.
            { try FileManager.default.setAttributes(old, ofItemAtPath: rule.path) },
            { try FileManager.default.removeItem(at: rule) },
        ]
        for edit in edits {
            usleep(30_000)
            try edit()
            let now = FileSurvey(WatchedPaths(file: file.path, folder: rules.path)).lastChange
            #expect(now > last)
            last = now
        }
    }
}
