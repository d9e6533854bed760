import Foundation
import Model
import Supervision
import Testing

/// The example in `docs/plugins.md`, run as it stands there.
@Suite(.timeLimit(.minutes(1))) struct PluginExampleTests {
    /// The first block of Python in the page.
    private func example() throws -> String {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/plugins.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let start = try #require(text.range(of: "```python\n")).upperBound
        let end = try #require(text.range(of: "```", range: start..<text.endIndex)).lowerBound
        return String(text[start..<end])
    }

    private func plugin(in folder: URL) throws -> ChildSpecification {
        let script = folder.appendingPathComponent("ticker.py")
        try Data(example().utf8).write(to: script)
        return ChildSpecification(
            name: "ticker",
            command: ["python3", script.path],
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"],
            backoff: quick
        )
    }

    @Test func thePageShowsTheFileThatIsShipped() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("plugins/ticker.py")
        #expect(try String(contentsOf: file, encoding: .utf8) == example())
    }

    @Test func thePythonExampleIsReadyBeatsAndDrains() async throws {
        let folder = try RunningTree.makeFolder()
        let tree = try RunningTree([plugin(in: folder)], in: folder)
        try await tree.said("is ready", "ticker/1")
        #expect(try await eventually { try tree.worker("ticker")?["progress"]?.integer ?? 0 >= 2 })
        let worker = try tree.worker("ticker")
        #expect(worker?["control_errors"]?.integer == 0)
        #expect(worker?["stats"]?["ticks"]?.integer ?? 0 >= 1)
        #expect(await tree.stop() == 0)
        #expect(tree.lines.contains { $0.worker == "ticker" && $0.message.hasPrefix("finished after") })
        #expect(tree.lines.contains { $0.child == "ticker/1" && $0.raw.contains("exited with code 0") })
    }

    @Test func thePythonExampleLeavesWhenTheSupervisorDies() async throws {
        let folder = try RunningTree.makeFolder()
        var child = try plugin(in: folder)
        // Without the kernel's signal only the end of the control channel tells it.
        child.parentDeathSignal = 0
        let tree = try RunningTree([child], in: folder)
        let pid = try #require(try await tree.said("is ready", "ticker/1").pid)
        tree.signal(SIGKILL)
        _ = await tree.exitCode()
        #expect(try await eventually { !exists(pid) })
    }
}
