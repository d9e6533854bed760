import Foundation
import Model
import Testing

@testable import Supervision

/// Reloads of a tree of real processes; a shell stands for the checker.
@Suite(.serialized) struct ReloadProcessTests {
    private let idle = #"exec sleep 1000"#

    private func reloads(_ tree: RunningTree) throws -> JSONDocument {
        try JSONDocument(tree.status().root["reload"].map { Array($0.raw) } ?? [])
    }

    @Test func whatStaysKeepsItsProcessAndTheRestComesAndGoes() async throws {
        let tree = try RunningTree([shell("a", idle), shell("b", idle)], reloadable: true)
        try await tree.said("the whole tree is ready")
        let (a, b) = (try #require(tree.worker("a")?["pid"]?.integer), try #require(tree.worker("b")?["pid"]?.integer))
        var kept = shell("a", idle)
        kept.backoff = Backoff(initial: .seconds(7))
        try tree.write([kept, shell("c", idle, after: ["a"])])
        try await tree.said("reload: done")
        #expect(try tree.worker("a")?["pid"]?.integer == a)
        #expect(try tree.worker("b") == nil)
        #expect(try await eventually { !exists(Int32(b)) })
        #expect(try tree.worker("c")?["ready"]?.boolean == true)
        #expect(try tree.status().root["generation"]?.integer == 4)
        #expect(await tree.stop() == 0)
    }

    @Test func theStatusShowsWhatStillLeaves() async throws {
        let folder = try RunningTree.makeFolder()
        let go = folder.appendingPathComponent("go")
        let stays = "trap '' TERM; until [ -e '\(go.path)' ]; do sleep 0.05; done"
        let tree = try RunningTree(
            [shell("a", idle), shell("b", stays, stopTimeout: .seconds(60))],
            in: folder,
            reloadable: true
        )
        try await tree.said("the whole tree is ready")
        try tree.write([shell("a", idle)])
        try await tree.said("is left out and ended", "b/1")
        let leaving = try tree.worker("b")
        #expect(leaving?["state"]?.string == "draining" && leaving?["pid"]?.integer != nil)
        #expect(try tree.worker("a")?["ready"]?.boolean == true)
        try Data().write(to: go)
        try await tree.said("reload: done")
        #expect(try tree.worker("b") == nil)
        #expect(await tree.stop() == 0)
    }

    @Test func aHundredEditsInASecondCauseOneReloadOfTheLast() async throws {
        let tree = try RunningTree([shell("a", idle)], reloadable: true)
        try await tree.said("the whole tree is ready")
        func plans() -> Int { tree.lines.count { $0.message == "reload: plan" } }
        // On a busy machine a second does not hold a hundred edits; then they are no burst, and another one is tried.
        var seen = 0
        for round in 1...20 {
            seen = plans()
            var widest = Duration.zero
            var last = ContinuousClock.now
            for edit in 1...100 {
                let number = 100 * round + edit
                try tree.write([shell("a", "echo edit \(number)\n\(idle)")], generation: number)
                widest = max(widest, .now - last)
                last = .now
                try await Task.sleep(for: .milliseconds(8))
            }
            try await tree.printed("edit \(100 * round + 100)", by: "a")
            if widest < .milliseconds(60) { break }
        }
        #expect(plans() == seen + 1)
        #expect(await tree.stop() == 0)
    }

    /// The files are read before anybody watches them.
    @Test func anEditWhileTheSupervisorStartsIsTakenOver() async throws {
        let folder = try RunningTree.makeFolder()
        try RunningTree.write([shell("a", idle), shell("b", idle)], in: folder)
        let tree = try RunningTree([shell("a", idle)], in: folder, reloadable: true, checkedSince: 0)
        try await tree.said("reload: done")
        #expect(try tree.worker("b")?["ready"]?.boolean == true)
        #expect(await tree.stop() == 0)
    }

    @Test func theLevelOfTheLogHoldsAtOnce() async throws {
        let tree = try RunningTree([shell("a", idle)], reloadable: true)
        try await tree.said("the whole tree is ready")
        try tree.write([shell("a", idle), shell("b", idle)], log: LogSettings(format: .json, level: .error))
        #expect(try await eventually { try tree.worker("b")?["ready"]?.boolean == true })
        try tree.write([shell("a", idle), shell("b", idle), shell("c", idle)], generation: 5)
        try await tree.said("is ready", "c/1")
        #expect(await tree.stop() == 0)
        #expect(!tree.lines.contains { $0.child == "b/1" && $0.message == "started" })
    }

    /// Whoever waits for the second must not take the end of the first for it.
    @Test func aReloadThatEndsDuringTheNextDoesNotCountForIt() async throws {
        let tree = try RunningTree([shell("a", idle)], reloadable: true)
        try await tree.said("the whole tree is ready")
        let go = tree.folder.appendingPathComponent("go").path
        let slow = shell("b", "until [ -e \(go) ]; do sleep 0.02; done; \(saysReady); read -r line <&3", kind: .worker)
        try tree.write([shell("a", idle), slow])
        #expect(try await eventually { try self.reloads(tree).root["under_way"]?.boolean == true })
        let late = tree.folder.appendingPathComponent("next.json.late")
        try Data().write(to: late)
        let number = try #require(try tree.request("reload").root["reload"]?.integer)
        try await tree.printed("accepted", by: "check")
        try Data().write(to: URL(fileURLWithPath: go))
        try await tree.said("reload: done")
        #expect(try reloads(tree).root["finished"]?.integer == number - 1)
        try FileManager.default.removeItem(at: late)
        #expect(try await eventually { try self.reloads(tree).root["finished"]?.integer == number })
        #expect(try reloads(tree).root["result"]?.string == "unchanged")
        #expect(await tree.stop() == 0)
    }

    @Test func aCheckThatCannotAcceptSaysWhy() async throws {
        let tree = try RunningTree([shell("a", idle)], reloadable: true)
        try await tree.said("the whole tree is ready")
        let fails = tree.folder.appendingPathComponent("next.json.fails")
        try Data().write(to: fails)
        try tree.write([shell("a", idle), shell("b", idle)])
        try await tree.said("reload: no room")
        #expect(try reloads(tree).root["problems"]?.elements.compactMap(\.string) == ["no room"])
        try FileManager.default.removeItem(at: fails)
        tree.signal(SIGHUP)
        try await tree.said("reload: done")
        #expect(try tree.status().root["state"]?.string == "ready")
        #expect(await tree.stop() == 0)
    }

    @Test func aReplacementThatDoesNotBecomeReadyGoesBackAndSaysSo() async throws {
        let tree = try RunningTree([shell("a", "echo old\n\(idle)"), shell("b", idle)], reloadable: true)
        try await tree.said("the whole tree is ready")
        let b = try tree.worker("b")?["pid"]?.integer
        try tree.write([shell("a", "echo new; exit 3"), shell("b", idle)])
        try await tree.printed("new", by: "a")
        try await tree.said("reload: done in part")
        #expect(try await eventually { try tree.worker("a")?["ready"]?.boolean == true })
        #expect(tree.lines.filter { $0.message == "old" }.count == 2)
        #expect(try tree.worker("b")?["pid"]?.integer == b)
        let record = try reloads(tree).root
        #expect(
            record["problems"]?.elements.contains { $0.string?.contains("a/1 did not become ready") == true } == true
        )
        #expect(try tree.status().root["state"]?.string == "degraded")
        #expect(await tree.stop() == 0)
    }

    @Test func brokenFilesChangeNothingAndAreReportedUntilMended() async throws {
        let tree = try RunningTree([shell("a", idle)], reloadable: true)
        try await tree.said("the whole tree is ready")
        let pid = try tree.worker("a")?["pid"]?.integer
        let file = tree.folder.appendingPathComponent("next.json")
        try Data("{".utf8).write(to: file)
        try await tree.line { $0.message == "reload: next.json:1:1: no tree" }
        #expect(try await eventually { try self.reloads(tree).root["result"]?.string == "refused" })
        #expect(try tree.status().root["state"]?.string == "degraded")
        #expect(try tree.worker("a")?["pid"]?.integer == pid)
        try tree.write([shell("a", idle)], generation: 3)
        #expect(try await eventually { try tree.status().root["state"]?.string == "ready" })
        #expect(try tree.worker("a")?["pid"]?.integer == pid)
        #expect(await tree.stop() == 0)
    }

    @Test func aCheckThatDiesChangesNothingAndIsReported() async throws {
        let tree = try RunningTree([shell("a", idle)], reloadable: true)
        try await tree.said("the whole tree is ready")
        let slow = tree.folder.appendingPathComponent("next.json.slow")
        try Data().write(to: slow)
        let a = try tree.worker("a")?["pid"]?.integer
        try tree.write([shell("b", idle)])
        var check: Int32?
        #expect(
            try await eventually {
                check = RunningTree.children(of: tree.pid).first { Int64($0.pid) != a }?.pid
                return check != nil
            }
        )
        kill(-(try #require(check)), SIGKILL)
        try await tree.line { $0.message.contains("the check of the files killed by SIGKILL") }
        #expect(try tree.worker("a")?["ready"]?.boolean == true)
        try FileManager.default.removeItem(at: slow)
        tree.signal(SIGHUP)
        try await tree.said("reload: done")
        #expect(try tree.worker("b")?["ready"]?.boolean == true)
        #expect(await tree.stop() == 0)
    }

    @Test func aSwappedLinkIsAChange() async throws {
        let folder = try RunningTree.makeFolder()
        let tree = try RunningTree([shell("a", idle)], in: folder, reloadable: true)
        try await tree.said("the whole tree is ready")
        // As a mounted ConfigMap does it: the file is a link through `..data`, and that link is swapped.
        let manager = FileManager.default
        for (index, name) in ["..one", "..two"].enumerated() {
            try tree.write([shell("a", "echo \(name)\n\(idle)")], generation: 10 + index)
            try manager.createDirectory(at: folder.appendingPathComponent(name), withIntermediateDirectories: false)
            let file = folder.appendingPathComponent("next.json")
            try manager.moveItem(at: file, to: folder.appendingPathComponent(name).appendingPathComponent("next.json"))
        }
        symlink("..one", folder.appendingPathComponent("..data").path)
        symlink("..data/next.json", folder.appendingPathComponent("next.json").path)
        try await tree.printed("..one", by: "a")
        symlink("..two", folder.appendingPathComponent("..tmp").path)
        rename(folder.appendingPathComponent("..tmp").path, folder.appendingPathComponent("..data").path)
        try await tree.printed("..two", by: "a")
        #expect(await tree.stop() == 0)
    }
}
