import Foundation
import Model
import Processes
import Testing

@testable import Supervision

@Suite struct SpecificationTests {
    private static func command(_ name: String, after: [String] = [], probe: ChildSpecification.Probe? = nil)
        -> ChildSpecification
    {
        ChildSpecification(
            name: name,
            command: ["x"],
            dependsOn: Dictionary(uniqueKeysWithValues: after.map { ($0, .ready) }),
            probe: probe
        )
    }

    @Test(arguments: [
        ([command("a"), command("a")], "two children are named 'a'"),
        ([ChildSpecification(name: "a", command: [])], "'a' has no command"),
        ([command("a", after: ["b"])], "'a' depends on 'b', which is not in the tree"),
        (
            [command("a", after: ["b"]), command("b", after: ["c"]), command("c", after: ["b"])],
            "'a' depends on itself through its dependencies"
        ),
        (
            [command("a", probe: .tcp("example.org", 80))],
            "a probe's host is an address or 'localhost', not 'example.org'"
        ),
        ([command("a", probe: .tcp("localhost", 0))], "a probe's port is 1 to 65535, not 0"),
        ([command("a", probe: .exec([]))], "the probe of 'a' has no command"),
        (
            [ChildSpecification(name: "a", command: ["x"], backoff: Backoff(initial: .seconds(60)))],
            "the breaker of 'a' can never see 5 failures within 60s: its back-off spreads them over 72s at least"
        ),
    ])
    func whatCannotBeRun(children: [ChildSpecification], message: String) {
        let tree = TreeSpecification(name: "t", children: children, statusSocket: "/x")
        #expect(throws: SupervisionError(message)) { try tree.validate() }
    }

    @Test func defaultsFollowTheKind() {
        let job = ChildSpecification(name: "j", command: ["x"], kind: .job)
        #expect(job.restart == .transient)
        #expect(job.parentDeathSignal == Signals.terminate)
        #expect(ChildSpecification(name: "c", command: ["x"]).restart == .permanent)
        #expect(ChildSpecification(name: "c", command: ["x"]).parentDeathSignal == Signals.kill)
    }

    @Test func survivesJSON() throws {
        let tree = TreeSpecification(
            name: "t",
            children: [Self.command("a", probe: .tcp("::1", 5))],
            statusSocket: "/s"
        )
        #expect(try JSONDecoder().decode(TreeSpecification.self, from: JSONEncoder().encode(tree)) == tree)
    }

    @Test func waitStatusesAreRead() {
        #expect(ExitStatus(waitStatus: 0x2a00) == .exited(42))
        #expect(ExitStatus(waitStatus: 0xff00) == .exited(255))
        #expect(ExitStatus(waitStatus: 9) == .signalled(9))
        #expect(ExitStatus(waitStatus: 0x8b).code == 139, "a core dump is still signal 11")
        #expect(ExitStatus.signalled(11).description == "killed by SIGSEGV")
    }

    @Test func programsAreLookedUpAlongThePath() {
        #expect(Spawner.candidates("/bin/x", path: "/a:/b") == ["/bin/x"])
        #expect(Spawner.candidates("x", path: "/a::/b") == ["/a/x", "./x", "/b/x"])
        #expect(Spawner.candidates("x", path: nil) == ["/usr/local/bin/x", "/usr/bin/x", "/bin/x"])
    }
}
