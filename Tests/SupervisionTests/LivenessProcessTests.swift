import Foundation
import Model
import Supervision
import Testing

/// Heartbeats with real processes. The silences are long, so that a busy machine does not make them.
@Suite(.serialized, .timeLimit(.minutes(1))) struct LivenessProcessTests {
    /// Beats five times a second until it is told to drain.
    private func beating(_ silence: Duration) -> ChildSpecification {
        var child = shell(
            "a",
            """
            \(saysReady)
            (while :; do printf '{"type":"heartbeat","seq":1}\\n' >&3 || exit; sleep 0.2; done) &
            read -r line <&3
            kill $!
            """,
            kind: .worker
        )
        child.heartbeat = .init(every: silence / 6, missed: 6)
        return child
    }

    /// Until heartbeats come again.
    private func beats(_ tree: RunningTree) async throws -> Bool {
        try await eventually { try tree.worker("a")?["heartbeat_age"]?.double ?? 100 < 0.5 }
    }

    @Test func oneMissedBeatChangesNothing() async throws {
        let tree = try RunningTree([beating(.seconds(30))])
        let pid = try #require(try await tree.said("is ready", "a/1").pid)
        #expect(try await beats(tree))
        kill(-pid, SIGSTOP)
        #expect(try await eventually { try tree.worker("a")!["heartbeat_age"]!.double! > 1.1 })
        kill(-pid, SIGCONT)
        #expect(try await beats(tree))
        #expect(try tree.worker("a")?["pid"]?.integer == Int64(pid))
        #expect(await tree.stop() == 0)
    }

    @Test func aStoppedWorkerIsRestarted() async throws {
        let tree = try RunningTree([beating(.seconds(3))])
        let pid = try #require(try await tree.said("is ready", "a/1").pid)
        #expect(try await beats(tree))
        kill(-pid, SIGSTOP)
        try await tree.said("has been silent for too long; it is ended and restarted", "a/1")
        try await tree.line { $0.message == "is ready" && $0.child == "a/1" && $0.pid != pid }
        #expect(!exists(pid))
        let worker = try tree.worker("a")
        // SIGKILL is not needed: it goes on, and finds the other signal.
        #expect(worker?["last_exit"]?["reason"]?.string == "heartbeats stopped (killed by SIGABRT)")
        #expect(worker?["breaker"]?["failures"]?.integer == 1)
        #expect(await tree.stop() == 0)
    }

    @Test func aWorkerThatNeverBeatsIsAborted() async throws {
        var child = shell("a", "ulimit -c 0; \(saysReady); exec sleep 1000", kind: .worker)
        child.heartbeat = .init(every: .milliseconds(200), missed: 6)
        let tree = try RunningTree([child])
        try await tree.line { $0.child == "a/1" && $0.raw.contains("heartbeats stopped (killed by SIGABRT)") }
        _ = await tree.stop()
    }

    @Test func aWorkerThatFinishesNothingOfItsWorkIsRestarted() async throws {
        var child = shell(
            "a",
            """
            ulimit -c 0; \(saysReady)
            while :; do printf '{"type":"heartbeat","seq":1,"progress":5,"backlog":2}\\n' >&3 || exit; sleep 0.1; done
            """,
            kind: .worker
        )
        child.heartbeat.longestWork = .seconds(2)
        let tree = try RunningTree([child])
        let pid = try await tree.said("is ready", "a/1").pid
        try await tree.said("has work and finishes none of it; it is ended and restarted", "a/1")
        try await tree.line { $0.message == "is ready" && $0.child == "a/1" && $0.pid != pid }
        let worker = try tree.worker("a")
        #expect(worker?["last_exit"]?["reason"]?.string == "it had work and finished none of it (killed by SIGABRT)")
        // Where this test is kept waiting it may have come to the same end once more.
        #expect(worker?["restarts_in_window"]?.integer ?? 0 >= 1)
        _ = await tree.stop()
    }

    @Test func aCommandThatNeverSaidHelloIsNotJudged() async throws {
        var silent = shell("silent", "exec sleep 1000")
        silent.heartbeat = .init(every: .milliseconds(100), missed: 1)
        var speaking = shell("a", "\(saysReady); exec sleep 1000")
        speaking.heartbeat = silent.heartbeat
        let tree = try RunningTree([silent, speaking])
        try await tree.said("is ready", "silent/1")
        // The other one, which spoke, was ended after the same time.
        try await tree.said("has been silent for too long; it is ended and restarted", "a/1")
        #expect(try tree.worker("silent")?["restarts"]?.integer == 0)
        _ = await tree.stop()
    }

    @Test func judgementPausesWhileTheSupervisorItselfIsHeldUp() async throws {
        let tree = try RunningTree([beating(.seconds(4))])
        let pid = try #require(try await tree.said("is ready", "a/1").pid)
        #expect(try await beats(tree))
        // All of it is frozen, as a container or a virtual machine may be, and the child thaws last.
        kill(-pid, SIGSTOP)
        tree.signal(SIGSTOP)
        try await Task.sleep(for: .seconds(7))
        tree.signal(SIGCONT)
        try await tree.said("the supervisor was held up; heartbeats are counted from now")
        kill(-pid, SIGCONT)
        #expect(try await beats(tree))
        #expect(try tree.worker("a")?["pid"]?.integer == Int64(pid))
        #expect(await tree.stop() == 0)
    }
}
