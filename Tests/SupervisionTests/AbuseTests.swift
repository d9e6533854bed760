import Foundation
import Model
import Processes
import Supervision
import Testing

/// What children, their neighbours and the machine may do to a supervisor beyond what is foreseen.
@Suite(.serialized, .timeLimit(.minutes(2))) struct AbuseTests {
    private func python(_ name: String, _ program: String, restart: ChildSpecification.Restart? = nil)
        -> ChildSpecification
    {
        ChildSpecification(
            name: name,
            command: ["python3", "-c", program],
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"],
            restart: restart,
            backoff: quick,
            stopTimeout: .seconds(1)
        )
    }

    @Test func aLeaderThatLeftItsGroupIsEndedAllTheSame() async throws {
        // It hides in the supervisor's own group, where a signal to its own does not reach it.
        let hider = python(
            "a",
            """
            import os, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.setpgid(0, os.getpgid(os.getppid()))
            print("hidden", os.getpid(), flush=True)
            time.sleep(1000)
            """
        )
        let tree = try RunningTree([hider, shell("b", speaking, kind: .worker)])
        let pid = try await Int32(tree.printed("hidden").message.split(separator: " ")[1])!
        _ = try tree.request("restart", "a")
        try await tree.line { $0.message.hasPrefix("hidden") && $0.pid != pid }
        #expect(!exists(pid))
        #expect(try tree.worker("b")?["restarts"]?.integer == 0)
        #expect(await tree.stop() == 75)
    }

    @Test func aBoundedForkBombIsGoneBeforeItsSuccessor() async throws {
        let folder = try RunningTree.makeFolder()
        let mark = folder.appendingPathComponent("mark").path
        let bomb = python(
            "a",
            """
            import os, signal, sys, time
            if os.path.exists("\(mark)"):
                print("again", flush=True); time.sleep(1000)
            open("\(mark)", "w").close()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            count = 0
            while count < 200:
                count += 1
                if os.fork() == 0:
                    signal.pause()
            print("forked", os.getpid(), flush=True)
            os._exit(1)
            """
        )
        let tree = try RunningTree([bomb], in: folder)
        let group = try await Int32(tree.printed("forked").message.split(separator: " ")[1])!
        try await tree.printed("again")
        #expect(!exists(-group))
        _ = await tree.stop()
    }

    @Test func aLogThatCannotBeWrittenIsCountedAndHoldsNothingUp() async throws {
        let tree = try RunningTree(
            [shell("a", "echo one; echo two; \(saysReady); read -r line <&3", kind: .worker)],
            wrapper: ["/bin/sh", "-c", #"exec "$@" 2>/dev/full"#, "sh"]
        )
        #expect(try await eventually { try tree.worker("a")?["state"]?.string == "ready" })
        #expect(try await eventually { try tree.status().root["log_lines_dropped"]?.integer ?? 0 >= 4 })
        #expect(try tree.worker("a")?["log"]?.elements.map { $0.string } == ["one", "two"])
        #expect(await tree.stop() == 0)
    }

    /// The first descriptors it opens would otherwise become its standard error, and log lines go into its lock.
    @Test func closedStandardDescriptorsHarmNothing() async throws {
        let tree = try RunningTree(
            [shell("a", "echo hello; \(saysReady); read -r line <&3", kind: .worker)],
            wrapper: ["/bin/sh", "-c", #"exec "$@" <&- >&- 2>&-"#, "sh"]
        )
        #expect(try await eventually { try tree.worker("a")?["state"]?.string == "ready" })
        let lock = tree.folder.appendingPathComponent("data/supervisor.lock")
        #expect(try String(contentsOf: lock, encoding: .utf8) == "\(tree.pid)\n")
        #expect(await tree.stop() == 0)
    }

    @Test func signalsThatMeanNothingEndNothing() async throws {
        let tree = try RunningTree([shell("a", speaking, kind: .worker)])
        try await tree.said("is ready", "a/1")
        for signal in [SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGXFSZ] { tree.signal(signal) }
        for _ in 0..<1000 { tree.signal(SIGHUP) }
        #expect(try tree.worker("a")?["state"]?.string == "ready")
        // As Ctrl-\ on a terminal.
        tree.signal(SIGQUIT)
        #expect(await tree.exitCode() == 0)
    }

    @Test func aRemovedStatusSocketComesBack() async throws {
        let tree = try RunningTree([shell("a", speaking, kind: .worker)])
        try await tree.said("is ready", "a/1")
        try FileManager.default.removeItem(atPath: tree.socket)
        try await tree.said("the status socket was removed; it is there again")
        #expect(try tree.worker("a")?["state"]?.string == "ready")
        // Its lock: nobody else may have the folder.
        let data = tree.folder.appendingPathComponent("data")
        try FileManager.default.removeItem(at: data.appendingPathComponent("supervisor.lock"))
        try await tree.said("the lock of the data folder was removed; it is held again")
        #expect(throws: SupervisionError.self) { try DataFolderLock.acquire(data.path) }
        // Its whole folder: nothing can be done but to say so and go on.
        try FileManager.default.removeItem(at: data)
        try await tree.said("the status socket cannot be kept: nobody can ask this supervisor")
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: false)
        #expect(try await eventually { try tree.worker("a")?["state"]?.string == "ready" })
        #expect(try tree.worker("a")?["restarts"]?.integer == 0)
        #expect(await tree.stop() == 0)
    }

    @Test func anotherSupervisorThatTookTheFolderKeepsItsSocket() async throws {
        let tree = try RunningTree([shell("a", "exec sleep 1000")])
        try await tree.said("the whole tree is ready")
        let data = tree.folder.appendingPathComponent("data")
        try FileManager.default.removeItem(at: data)
        let other = try RunningTree([shell("b", "exec sleep 1000")], in: tree.folder)
        try await other.said("the whole tree is ready")
        try await tree.said("the status socket cannot be kept: nobody can ask this supervisor")
        #expect(try other.worker("b")?["ready"]?.boolean == true)
        #expect(await tree.stop() == 0)
        #expect(try other.worker("b")?["ready"]?.boolean == true)
        #expect(await other.stop() == 0)
    }

    /// A stopped process hears of nothing but SIGKILL.
    @Test func aStoppedChildGoesOnToEnd() async throws {
        let tree = try RunningTree([shell("a", "exec sleep 1000")])
        let pid = try #require(try await tree.said("is ready", "a/1").pid)
        kill(pid, SIGSTOP)
        #expect(await tree.stop() == 0)
    }

    @Test func servicesWithoutEndAreNotKept() async throws {
        let script = #"for i in $(seq 300); do printf '{"type":"service","name":"s%d","state":"open"}\n' $i >&3; done"#
        let last = #"printf '{"type":"service","name":"s7","state":"closed"}\n' >&3; read -r line <&3"#
        let tree = try RunningTree([shell("a", "\(script); \(saysReady); \(last)", kind: .worker)])
        try await tree.said("is ready", "a/1")
        #expect(try await eventually { try tree.worker("a")?["services"]?["s7"]?.string == "closed" })
        #expect(try tree.worker("a")?["services"]?.members.count { _ in true } == 64)
        #expect(await tree.stop() == 0)
    }

    @Test func aMissingInterpreterIsToldFromAMissingProgram() async throws {
        let folder = try RunningTree.makeFolder()
        let script = folder.appendingPathComponent("script")
        try Data("#!/no/such/interpreter\n".utf8).write(to: script)
        chmod(script.path, 0o755)
        var child = shell("a", "")
        child.command = [script.path]
        let tree = try RunningTree([child, shell("b", "exec sleep 1000")], in: folder)
        let line = try await tree.line { $0.child == "a/1" && $0.raw.contains("its interpreter is missing") }
        #expect(line.raw.contains(#""code":127"#))
        _ = await tree.stop()
    }

    @Test func moreChildrenThanTheLimitOfDescriptorsAllows() async throws {
        var child = shell("a", "ulimit -n; exec sleep 1000")
        child.replicas = 200
        let tree = try RunningTree([child], wrapper: ["/bin/sh", "-c", #"ulimit -S -n 256; exec "$@""#, "sh"])
        try await tree.said("the whole tree is ready")
        // Ready says that they live, not that they have spoken.
        #expect(
            try await eventually { tree.lines.count { $0.worker == "a" && $0.message == "256" } == 200 },
            "children keep the limit"
        )
        #expect(await tree.stop() == 0)
    }

    @Test func aVeryLongNameIsANameLikeAnyOther() async throws {
        let name = String(repeating: "long-", count: 400)
        let tree = try RunningTree([shell(name, "echo hello; \(speaking)", kind: .worker)])
        try await tree.said("is ready", "\(name)/1")
        #expect(try tree.worker(name)?["state"]?.string == "ready")
        #expect(await tree.stop() == 0)
    }

    @Test func aGigabyteOfControlLinesCostsLittle() async throws {
        let flood = python(
            "a",
            """
            import os
            line = b'{"type":"stats","' + b'x' * 4000 + b'":1}\\n'
            for _ in range(250_000): os.write(3, line)
            """
        )
        let tree = try RunningTree([flood, shell("b", speaking, kind: .worker)])
        try await tree.said("is ready", "b/1")
        #expect(try await eventually { try tree.worker("a")?["stats"]?.members.contains { _ in true } ?? false })
        for _ in 0..<20 {
            #expect(try tree.worker("b")?["state"]?.string == "ready")
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(RunningTree.residentBytes(of: tree.pid) < 100 << 20)
        #expect(await tree.stop() == 0)
    }
}
