import Foundation
import Model
import Supervision
import Testing

@Suite(.serialized, .timeLimit(.minutes(1))) struct SupervisorProcessTests {
    @Test func startsByReadinessAndStopsInReverse() async throws {
        let tree = try RunningTree([
            shell("c", speaking, kind: .worker, after: ["b"]),
            shell("b", speaking, kind: .worker, after: ["a"]),
            shell("a", speaking, kind: .worker),
        ])
        try await tree.said("the whole tree is ready")
        #expect(try tree.status().root["state"]?.string == "ready")
        #expect(await tree.stop() == 0)
        let order = tree.lines.filter { ["is ready", "stopped"].contains($0.message) && $0.child != nil }
        #expect(
            order.map { "\($0.child!) \($0.message)" } == [
                "a/1 is ready", "b/1 is ready", "c/1 is ready", "c/1 stopped", "b/1 stopped", "a/1 stopped",
            ]
        )
        #expect(tree.lines.filter { $0.message.hasPrefix(#"told {"type":"drain""#) }.count == 3)
        #expect(throws: SupervisionError.self) { try tree.status() }
    }

    @Test func aDependantWaitsForASlowStart() async throws {
        let folder = try RunningTree.makeFolder()
        let gate = folder.appendingPathComponent("gate").path
        #expect(mkfifo(gate, 0o600) == 0)
        let tree = try RunningTree(
            [
                shell("a", "read -r go <\(gate)\n\(speaking)", kind: .worker),
                shell("b", speaking, kind: .worker, after: ["a"]),
            ],
            in: folder
        )
        try await tree.said("started", "a/1")
        #expect(try tree.worker("a")?["state"]?.string == "starting")
        #expect(try tree.worker("b")?["state"]?.string == "waiting")
        try Data("go\n".utf8).write(to: URL(fileURLWithPath: gate))
        try await tree.said("is ready", "b/1")
        #expect(await tree.stop() == 0)
    }

    @Test func restartsWithBackoffAndShowsTheLastExit() async throws {
        let folder = try RunningTree.makeFolder()
        let runs = folder.appendingPathComponent("runs").path
        // The first three runs fail.
        let script = "echo run >>\(runs); [ $(wc -l <\(runs)) -gt 3 ] || exit 42\n\(speaking)"
        let tree = try RunningTree([shell("a", script, kind: .worker)], in: folder)
        try await tree.said("is ready", "a/1")
        let worker = try tree.worker("a")
        #expect(worker?["restarts"]?.integer == 3)
        #expect(worker?["last_exit"]?["code"]?.integer == 42)
        #expect(worker?["last_exit"]?["reason"]?.string == "exited with code 42")
        #expect(await tree.stop() == 0)
    }

    @Test func everyExitCodeIsKept() async throws {
        var children = (0...255).map { code in
            shell("exit-\(code)", "exit \(code)", restart: .temporary)
        }
        children += [1, 2, 3, 6, 9, 10, 11, 15].map { signal in
            shell("signal-\(signal)", "ulimit -c 0; kill -\(signal) $$", restart: .temporary)
        }
        let tree = try RunningTree(children + [shell("last", speaking, kind: .worker)])
        try await tree.said("is ready", "last/1")
        #expect(
            try await eventually {
                try tree.status().root["workers"]!.elements.filter { !$0["last_exit"]!.isNull }.count == 264
            }
        )
        for worker in try tree.status().root["workers"]!.elements {
            guard let name = worker["name"]?.string?.split(separator: "-"), name.count == 2 else { continue }
            let number = Int64(name[1])!
            let exit = worker["last_exit"]!
            #expect(exit["code"]?.integer == (name[0] == "exit" ? number : 128 + number))
            #expect(exit["signal"]?.integer == (name[0] == "exit" ? nil : number))
            #expect(worker["state"]?.string == (number == 0 ? "stopped" : "failed"))
        }
        #expect(await tree.stop() == 0)
    }

    @Test func whatIgnoresSIGTERMIsGoneByTheDeadlineWithItsChildren() async throws {
        let script = """
            trap '' TERM
            sh -c 'trap "" TERM; echo "grandchild $$"; while :; do sleep 100; done' &
            echo "leader $$"
            while :; do sleep 100; done
            """
        let tree = try RunningTree([shell("a", script)], stopTimeout: .seconds(1))
        let pids = try await [tree.printed("leader"), tree.printed("grandchild")].map {
            Int32($0.message.split(separator: " ")[1])!
        }
        let clock = ContinuousClock()
        let asked = clock.now
        #expect(await tree.stop() == 75)
        #expect(clock.now - asked < .seconds(30))
        #expect(!pids.contains(where: exists))
    }

    @Test func aSecondSignalMeansNow() async throws {
        let stubborn = shell("a", "trap '' TERM; echo up; while :; do sleep 100; done", stopTimeout: .seconds(120))
        let tree = try RunningTree([stubborn], stopTimeout: .seconds(120))
        try await tree.printed("up")
        tree.signal(SIGINT)
        try await tree.said("told to end")
        tree.signal(SIGTERM)
        #expect(await tree.exitCode() == 75)
        #expect(tree.lines.contains { $0.message == "stopping now: asked a second time" })
    }

    @Test func programsThatCannotRun() async throws {
        let folder = try RunningTree.makeFolder()
        let script = folder.appendingPathComponent("not-executable").path
        try Data("#!/bin/sh\n".utf8).write(to: URL(fileURLWithPath: script))
        func command(_ name: String, _ command: [String], in folder: String? = nil) -> ChildSpecification {
            ChildSpecification(
                name: name,
                command: command,
                environment: ["PATH": "/usr/bin:/bin"],
                workingDirectory: folder,
                restart: .temporary
            )
        }
        let tree = try RunningTree(
            [
                command("missing", ["no-such-program-anywhere"]), command("refused", [script]),
                command("folder", ["true"], in: "/no/such/folder"), shell("last", speaking, kind: .worker),
            ],
            in: folder
        )
        try await tree.said("is ready", "last/1")
        for (name, code, reason) in [
            ("missing", Int64(127), "command not found: no-such-program-anywhere"),
            ("refused", 126, "cannot execute \(script): Permission denied"),
            ("folder", 126, "cannot enter /no/such/folder: No such file or directory"),
        ] {
            let worker = try tree.worker(name)
            #expect(worker?["last_exit"]?["code"]?.integer == code)
            #expect(worker?["last_exit"]?["reason"]?.string == reason)
            #expect(worker?["breaker"]?["failures"]?.integer == 1)
            #expect(worker?["state"]?.string == "failed")
        }
        #expect(try tree.status().root["state"]?.string == "degraded")
        #expect(await tree.stop() == 0)
    }

    @Test func orphansAreReapedAndLeftoversEnded() async throws {
        let script = """
            for i in 1 2 3 4 5; do setsid sh -c 'echo "orphan $$"' & done
            fifo=$(mktemp -u)
            mkfifo "$fifo"
            setsid sh -c 'echo "stays $$"; echo >"$1"; exec sleep 1000' sh "$fifo" &
            read -r written <"$fifo"
            rm "$fifo"
            wait %1 %2 %3 %4 %5
            exit 0
            """
        let tree = try RunningTree([
            shell("a", script, restart: .temporary), shell("b", speaking, kind: .worker),
        ])
        let stays = try await Int32(tree.printed("stays").message.split(separator: " ")[1])!
        try await tree.said("ended", "a/1")
        func orphans() -> [Int32] {
            tree.lines.filter { $0.message.hasPrefix("orphan ") }.map { Int32($0.message.split(separator: " ")[1])! }
        }
        #expect(try await eventually { orphans().count == 5 })
        #expect(try await eventually { !orphans().contains(where: exists) })
        #expect(exists(stays))
        #expect(await tree.stop() == 0)
        #expect(!exists(stays))
    }

    @Test func aGroupIsClearedBeforeTheRestart() async throws {
        let folder = try RunningTree.makeFolder()
        let runs = folder.appendingPathComponent("runs").path
        let script = """
            echo run >>\(runs)
            if [ $(wc -l <\(runs)) -gt 1 ]; then printf '{"type":"ready"}\\n' >&3; read -r line <&3; exit 0; fi
            mkfifo \(runs).up
            sh -c 'trap "" TERM; echo "member $$"; echo up >\(runs).up; while :; do sleep 100; done' &
            read -r up <\(runs).up
            exit 1
            """
        let tree = try RunningTree([shell("a", script, kind: .worker)], in: folder)
        let member = try await Int32(tree.printed("member").message.split(separator: " ")[1])!
        try await tree.said("is ready", "a/1")
        #expect(!exists(member))
        #expect(await tree.stop() == 0)
    }

    @Test func restForOneKeepsTheOthersPid() async throws {
        var middle = shell("b", speaking, kind: .worker, after: ["a"])
        middle.propagate = true
        let tree = try RunningTree([
            shell("a", speaking, kind: .worker), middle, shell("c", speaking, kind: .worker, after: ["b"]),
        ])
        try await tree.said("the whole tree is ready")
        let pids = try ["a", "b", "c"].map { try tree.worker($0)!["pid"]!.integer! }
        kill(Int32(pids[1]), SIGKILL)
        try await tree.line { $0.message == "is ready" && $0.child == "c/1" && $0.pid != Int32(pids[2]) }
        let after = try ["a", "b", "c"].map { try tree.worker($0)!["pid"]!.integer! }
        #expect(after[0] == pids[0])
        #expect(after[1] != pids[1])
        #expect(try tree.worker("c")?["restarts"]?.integer == 1)
        #expect(await tree.stop() == 0)
    }

    @Test func aTreeOfJobsEnds() async throws {
        let folder = try RunningTree.makeFolder()
        let mark = folder.appendingPathComponent("mark").path
        let tree = try RunningTree(
            [
                shell("second", "exec cat \(mark)", kind: .job, after: ["first"]),
                shell("first", "echo hello >\(mark)", kind: .job),
            ],
            in: folder
        )
        #expect(await tree.exitCode() == 0)
        #expect(tree.lines.contains { $0.worker == "second" && $0.message == "hello" })
    }

    @Test func exitCode78IsFinal() async throws {
        let tree = try RunningTree([
            shell("a", "echo broken; exit 78"), shell("b", speaking, kind: .worker),
        ])
        try await tree.line { $0.child == "a/1" && $0.level == "error" && $0.message.contains("stays down") }
        #expect(try tree.worker("a")?["state"]?.string == "failed")
        #expect(try tree.status().root["state"]?.string == "degraded")
        #expect(try await eventually { try tree.worker("a")?["log"]?.elements.first { _ in true }?.string == "broken" })
        #expect(await tree.stop() == 0)
    }

    @Test func probesDecideWhenACommandIsReady() async throws {
        let folder = try RunningTree.makeFolder()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(listener, raw, length)
                getsockname(listener, raw, &length)
            }
            return Int(UInt16(bigEndian: pointer.pointee.sin_port))
        }
        var tcp = shell("tcp", "exec sleep 1000")
        tcp.probe = .tcp("localhost", port)
        var exec = shell("exec", "exec sleep 1000")
        exec.probe = .exec(["test", "-e", folder.appendingPathComponent("here").path])
        let tree = try RunningTree([tcp, exec, shell("plain", "exec sleep 1000")], in: folder)
        try await tree.said("is ready", "plain/1")
        #expect(try tree.worker("tcp")?["state"]?.string == "starting")
        #expect(try tree.worker("exec")?["state"]?.string == "starting")
        listen(listener, 16)
        try Data().write(to: folder.appendingPathComponent("here"))
        try await tree.said("is ready", "tcp/1")
        try await tree.said("is ready", "exec/1")
        #expect(await tree.stop() == 0)
    }

    @Test func childrenDieWithTheSupervisor() async throws {
        let tree = try RunningTree([shell("a", "exec sleep 1000"), shell("b", speaking, kind: .worker)])
        let pids = try await [tree.said("started", "a/1"), tree.said("is ready", "b/1")].map { $0.pid! }
        tree.signal(SIGKILL)
        #expect(await tree.exitCode() == 137)
        #expect(try await eventually { !pids.contains(where: exists) })
    }

    @Test func aSecondSupervisorOnTheFolderIsRefused() async throws {
        let tree = try RunningTree([shell("b", speaking, kind: .worker)])
        try await tree.said("is ready", "b/1")
        #expect(throws: SupervisionError.self) {
            try DataFolderLock.acquire(tree.folder.appendingPathComponent("data").path)
        }
        do {
            _ = try DataFolderLock.acquire(tree.folder.appendingPathComponent("data").path)
        } catch let error as SupervisionError {
            #expect(error.code == .locked)
            #expect(error.description.hasPrefix("another supervisor (pid \(tree.pid)) runs on this data folder"))
        }
        #expect(await tree.stop() == 0)
        _ = try DataFolderLock.acquire(tree.folder.appendingPathComponent("data").path)
    }

    @Test(.enabled("needs user namespaces: unshare -Urpf true", { RunningTree.canUnshare() }))
    func asPID1NothingIsLeft() async throws {
        let folder = try RunningTree.makeFolder()
        let script = """
            mkfifo pipe; exec 9<>pipe
            for i in $(seq 100); do setsid sh -c 'echo in >&9; exec sleep 1000' & done
            for i in $(seq 100); do read -r in <&9; done
            exit 0
            """
        var spawner = shell("a", script, restart: .temporary)
        spawner.workingDirectory = folder.path
        let tree = try RunningTree(
            [spawner, shell("b", speaking, kind: .worker)],
            in: folder,
            wrapper: ["/usr/bin/unshare", "-Urpf", "--mount-proc", "--kill-child"]
        )
        try await tree.said("ended", "a/1")
        try await tree.said("is ready", "b/1")
        let supervisor = try Int32(#require(RunningTree.onlyChild(of: tree.pid)))
        #expect(RunningTree.children(of: supervisor).count >= 101)
        #expect(try await eventually { !RunningTree.children(of: supervisor).contains { $0.isZombie } })
        kill(supervisor, SIGTERM)
        #expect(await tree.exitCode() == 0)
        #expect(!exists(supervisor))
    }
}

extension RunningTree {
    static func canUnshare() -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = ["-Urpf", "true"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    struct ProcessEntry {
        var pid: Int32
        var parent: Int32
        var isZombie: Bool
    }

    private static func processes() -> [ProcessEntry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.compactMap { pid in
            guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let name = text.lastIndex(of: ")")
            else { return nil }
            let fields = text[text.index(name, offsetBy: 2)...].split(separator: " ")
            return Int32(fields[1]).map { ProcessEntry(pid: pid, parent: $0, isZombie: fields[0] == "Z") }
        }
    }

    static func children(of pid: Int32) -> [ProcessEntry] { processes().filter { $0.parent == pid } }

    static func onlyChild(of pid: Int32) -> Int32? { children(of: pid).first?.pid }

    static func residentBytes(of pid: Int32) -> Int {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (pages ?? .max >> 20) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
