import Foundation
import Model
import Supervision
import Testing

/// The breaker with real processes.
@Suite(.serialized, .timeLimit(.minutes(1))) struct BreakerProcessTests {
    /// A worker that fails so many times before it works.
    private func failing(_ times: Int, in folder: URL) -> ChildSpecification {
        let runs = folder.appendingPathComponent("runs").path
        return shell(
            "a",
            "echo run >>\(runs); [ $(wc -l <\(runs)) -gt \(times) ] || exit 9\n\(speaking)",
            kind: .worker
        )
    }

    @Test(arguments: [("no-such-program-anywhere", Int64(127)), ("/etc/passwd", 126)])
    func aProgramThatCannotRunIsCountedOnceAStartAndOpensTheBreaker(program: String, code: Int64) async throws {
        var child = shell("a", "")
        child.command = [program]
        let tree = try RunningTree([child, shell("b", speaking, kind: .worker)])
        try await tree.said("failed too often: its breaker is open", "a/1")
        try await tree.said("is ready", "b/1")
        let worker = try tree.worker("a")
        #expect(worker?["state"]?.string == "open")
        #expect(worker?["last_exit"]?["code"]?.integer == code)
        #expect(worker?["restarts"]?.integer == 4)
        #expect(worker?["breaker"]?["state"]?.string == "open")
        #expect(worker?["breaker"]?["failures"]?.integer == 5)
        let until = try #require(worker?["breaker"]?["until"]?.string.flatMap { Timestamp(iso8601: $0) })
        #expect(until > Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)))
        #expect(try tree.status().root["state"]?.string == "degraded")
        #expect(try tree.worker("b")?["restarts"]?.integer == 0, "siblings are left alone")
        #expect(await tree.stop() == 0)
    }

    @Test func oneProbeStartClosesItOnceItWasReadyForLong() async throws {
        let folder = try RunningTree.makeFolder()
        var child = failing(5, in: folder)
        child.breaker = Breaker.Settings(open: .seconds(1), stable: .seconds(3))
        let tree = try RunningTree([child], in: folder)
        try await tree.said("its breaker admits one start", "a/1")
        try await tree.said("is ready", "a/1")
        let probing = try tree.worker("a")
        #expect(probing?["ready"]?.boolean == true)
        // A machine that is busy enough shows it only when it is over.
        #expect(probing?["state"]?.string == "half_open" || probing?["breaker"]?["state"]?.string == "closed")
        try await tree.said("its breaker is closed again", "a/1")
        let worker = try tree.worker("a")
        #expect(worker?["state"]?.string == "ready")
        #expect(worker?["breaker"]?["state"]?.string == "closed")
        #expect(worker?["breaker"]?["failures"]?.integer == 0)
        #expect(worker?["breaker"]?["until"]?.isNull == true)
        #expect(worker?["restarts"]?.integer == 5)
        #expect(await tree.stop() == 0)
    }

    @Test func aResetStartsAtOnce() async throws {
        let folder = try RunningTree.makeFolder()
        let tree = try RunningTree([failing(5, in: folder)], in: folder)
        try await tree.said("failed too often: its breaker is open", "a/1")
        #expect(try tree.request("reset", "a").root["ok"]?.boolean == true)
        try await tree.said("is ready", "a/1")
        #expect(try tree.worker("a")?["breaker"]?["state"]?.string == "closed")
        #expect(await tree.stop() == 0)
    }

    @Test func theBreakerOfACriticalChildDrainsTheTree() async throws {
        let folder = try RunningTree.makeFolder()
        var child = failing(1000, in: folder)
        child.critical = true
        child.dependsOn = ["b": .ready]
        let tree = try RunningTree([child, shell("b", speaking, kind: .worker)], in: folder)
        #expect(await tree.exitCode() == 70)
        #expect(tree.lines.contains { $0.worker == "b" && $0.message.hasPrefix(#"told {"type":"drain""#) })
    }

    @Test func withoutABreakerItIsRestartedAndNothingPilesUp() async throws {
        var child = shell("a", "exit 9")
        child.backoff = Backoff(initial: .milliseconds(1), maximum: .milliseconds(1), jitter: 0)
        child.breaker = nil
        let tree = try RunningTree([child, shell("b", speaking, kind: .worker)])
        try await tree.said("is ready", "b/1")
        func descriptors() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(tree.pid)/fd").count
        }
        #expect(try await eventually { try tree.worker("a")!["restarts"]!.integer! >= 50 })
        let before = try descriptors()
        #expect(try await eventually { try tree.worker("a")!["restarts"]!.integer! >= 200 })
        #expect(try descriptors() <= before + 20)
        #expect(try tree.worker("a")?["breaker"]?["state"]?.string == "off")
        #expect(await tree.stop() == 0)
    }
}
