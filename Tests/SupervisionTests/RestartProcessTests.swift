import Foundation
import Model
import Supervision
import Testing

/// Restart policy, groups that restart together, and restarts by hand, with real processes.
@Suite(.serialized, .timeLimit(.minutes(1))) struct RestartProcessTests {
    /// How often a child was started.
    private func starts(_ tree: RunningTree, _ child: String) -> Int {
        tree.lines.count { $0.worker == "supervisor" && $0.message == "started" && $0.child == child }
    }

    @Test func aHundredChildrenThatEndAtOnceAreAllRecorded() async throws {
        let folder = try RunningTree.makeFolder()
        let gate = folder.appendingPathComponent("gate").path
        #expect(mkfifo(gate, 0o600) == 0)
        let held = open(gate, O_RDWR | O_CLOEXEC)
        let script = "exec 9<\(gate); echo up; read -r line <&9; exit 7"
        let children = (0..<100).map { shell("c\($0)", script, restart: .temporary) }
        let tree = try RunningTree(children + [shell("last", speaking, kind: .worker)], in: folder)
        #expect(try await eventually { tree.lines.count { $0.message == "up" } == 100 })
        // All are at the end of the file in the same moment.
        close(held)
        let exits = {
            try tree.status().root["workers"]!.elements.count { $0["last_exit"]?["code"]?.integer == 7 }
        }
        #expect(try await eventually { try exits() == 100 })
        #expect(await tree.stop() == 0)
        #expect(tree.lines.count { $0.message == "failed and is not to be restarted" } == 100)
    }

    @Test func eachPolicyRestartsWhatItShould() async throws {
        let folder = try RunningTree.makeFolder()
        func child(_ name: String, _ restart: ChildSpecification.Restart, _ code: Int) -> ChildSpecification {
            let runs = folder.appendingPathComponent(name).path
            return shell(
                name,
                "echo run >>\(runs); [ $(wc -l <\(runs)) -gt 1 ] || exit \(code)\n\(speaking)",
                kind: .worker,
                restart: restart
            )
        }
        let tree = try RunningTree(
            [
                child("permanent-0", .permanent, 0), child("permanent-1", .permanent, 1),
                child("transient-0", .transient, 0), child("transient-1", .transient, 1),
                child("temporary-0", .temporary, 0), child("temporary-1", .temporary, 1),
            ],
            in: folder
        )
        let expected = [
            "permanent-0": "ready", "permanent-1": "ready", "transient-0": "stopped", "transient-1": "ready",
            "temporary-0": "stopped", "temporary-1": "failed",
        ]
        #expect(
            try await eventually {
                try expected.allSatisfy { name, state in try tree.worker(name)?["state"]?.string == state }
            }
        )
        #expect(await tree.stop() == 0)
    }

    @Test func bystandersOfAPropagatedRestartReturnUnlessTemporary() async throws {
        var middle = shell("b", speaking, kind: .worker)
        middle.propagate = true
        let policies = ChildSpecification.Restart.allCases
        let bystanders = policies.map { shell($0.rawValue, speaking, kind: .worker, restart: $0, after: ["b"]) }
        let tree = try RunningTree([middle] + bystanders)
        try await tree.said("the whole tree is ready")
        kill(try #require(tree.lines.first { $0.child == "b/1" && $0.message == "started" }?.pid), SIGKILL)
        #expect(
            try await eventually {
                try ["b", "permanent", "transient"].allSatisfy { name in
                    let worker = try tree.worker(name)
                    return worker?["ready"]?.boolean == true && worker?["restarts"]?.integer == 1
                }
            }
        )
        #expect(try tree.worker("temporary")?["state"]?.string == "stopped")
        #expect(try tree.worker("permanent")?["breaker"]?["failures"]?.integer == 0, "knock-on restarts do not count")
        #expect(await tree.stop() == 0)
        #expect(starts(tree, "temporary/1") == 1)
    }

    @Test func aSiblingThatFailsDuringAGroupRestartStartsNobodyTwice() async throws {
        let folder = try RunningTree.makeFolder()
        let runs = folder.appendingPathComponent("runs").path
        var middle = shell("b", speaking, kind: .worker)
        middle.propagate = true
        // Fails when it returns with the group, and once more.
        let failing = "echo run >>\(runs); case $(wc -l <\(runs)) in 2|3) exit 1;; esac\n\(speaking)"
        let tree = try RunningTree(
            [
                middle, shell("c", failing, kind: .worker, after: ["b"]),
                shell("d", speaking, kind: .worker, after: ["b"]),
            ],
            in: folder
        )
        try await tree.said("the whole tree is ready")
        kill(try #require(tree.lines.first { $0.child == "b/1" && $0.message == "started" }?.pid), SIGKILL)
        #expect(try await eventually { try tree.worker("c")?["restarts"]?.integer == 3 })
        #expect(try await eventually { try tree.status().root["state"]?.string == "ready" })
        #expect(await tree.stop() == 0)
        #expect(["b/1", "c/1", "d/1"].map { starts(tree, $0) } == [2, 4, 2])
    }

    /// Fails once, and then says when two of it are there at once.
    private func alone(_ folder: URL) -> ChildSpecification {
        let lock = folder.appendingPathComponent("lock").path
        let runs = folder.appendingPathComponent("runs").path
        var child = shell(
            "a",
            """
            exec 8>\(lock); flock -n 8 || echo 'two at once'
            echo run >>\(runs); [ $(wc -l <\(runs)) -gt 1 ] || exit 1
            \(speaking)
            """,
            kind: .worker
        )
        child.backoff = Backoff(initial: .seconds(300), maximum: .seconds(300))
        child.breaker = nil
        return child
    }

    @Test func aRestartDuringABackoffMakesOneIncarnation() async throws {
        let folder = try RunningTree.makeFolder()
        let tree = try RunningTree([alone(folder)], in: folder)
        try await tree.said("ended and will be restarted", "a/1")
        #expect(try tree.worker("a")?["state"]?.string == "backoff")
        for _ in 0..<5 { #expect(try tree.request("restart", "a").root["ok"]?.boolean == true) }
        #expect(try await eventually { try tree.worker("a")?["ready"]?.boolean == true })
        for _ in 0..<3 {
            let before = try #require(tree.worker("a")?["restarts"]?.integer)
            for _ in 0..<5 { _ = try tree.request("restart", "a/1") }
            #expect(
                try await eventually {
                    let worker = try tree.worker("a")
                    return worker?["ready"]?.boolean == true && worker!["restarts"]!.integer! > before
                }
            )
        }
        #expect(await tree.stop() == 0)
        #expect(!tree.lines.contains { $0.message == "two at once" })
    }

    @Test func aStopDuringABackoffEndsAtOnceAndStartsNothing() async throws {
        let folder = try RunningTree.makeFolder()
        let tree = try RunningTree([alone(folder)], in: folder)
        try await tree.said("ended and will be restarted", "a/1")
        #expect(await tree.stop() == 0)
        #expect(starts(tree, "a/1") == 1)
    }

    @Test func requestsThatMakeNoSenseAreRefused() async throws {
        let tree = try RunningTree([shell("a", speaking, kind: .worker)])
        try await tree.said("is ready", "a/1")
        #expect(try tree.request("restart", "b").root["error"]?.string?.hasPrefix("there is no worker 'b'; ") == true)
        #expect(try tree.request("reset", "a/2").root["error"]?.string?.hasPrefix("there is no worker 'a/2'; ") == true)
        #expect(try tree.request("restart").root["error"]?.string == "'restart' needs a 'worker'")
        #expect(await tree.stop() == 0)
    }

    @Test func aStartThatTakesTooLongIsAFailureAndItsDependantsWait() async throws {
        let folder = try RunningTree.makeFolder()
        let runs = folder.appendingPathComponent("runs").path
        var slow = shell(
            "a",
            "echo run >>\(runs); [ $(wc -l <\(runs)) -gt 1 ] || exec sleep 1000\n\(speaking)",
            kind: .worker
        )
        slow.startTimeout = .seconds(3)
        let tree = try RunningTree([slow, shell("b", speaking, kind: .worker, after: ["a"])], in: folder)
        try await tree.said("is ready", "b/1")
        let order = tree.lines.filter { $0.level != "debug" && $0.child != nil }.map { "\($0.child!) \($0.message)" }
        #expect(
            order == [
                "a/1 started", "a/1 was not ready in time; it is ended and tried again", "a/1 stopped",
                "a/1 ended and will be restarted", "a/1 started", "a/1 is ready", "b/1 started", "b/1 is ready",
            ]
        )
        let worker = try tree.worker("a")
        #expect(worker?["breaker"]?["failures"]?.integer == 1)
        #expect(worker?["last_exit"]?["reason"]?.string == "start timed out (killed by SIGTERM)")
        #expect(await tree.stop() == 0)
    }

    @Test func extendProlongsTheStartAndSilenceAfterItDoesNot() async throws {
        let extend = #"printf '{"type":"hello","protocol":"chaffinch-child/1"}\n{"type":"extend","ms":MS}\n' >&3"#
        func child(_ name: String, _ milliseconds: Int, _ rest: String) -> ChildSpecification {
            let script = extend.replacingOccurrences(of: "MS", with: "\(milliseconds)")
            var child = shell(name, "\(script)\n\(rest)", kind: .worker)
            child.startTimeout = .seconds(3)
            return child
        }
        let tree = try RunningTree([
            child("patient", 60_000, "sleep 5\n\(speaking)"), child("silent", 4000, "exec sleep 1000"),
        ])
        try await tree.said("is ready", "patient/1")
        try await tree.said("was not ready in time; it is ended and tried again", "silent/1")
        #expect(try tree.worker("patient")?["restarts"]?.integer == 0)
        _ = await tree.stop()
    }
}
