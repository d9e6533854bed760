import Foundation
import Glibc
import Model
import Processes
import Supervision
import Testing

/// What a child finds when it starts, and what its channel and its output do to the supervisor.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ChildEnvironmentTests {
    private let ready = #"printf '{"type":"hello","protocol":"chaffinch-child/1"}\n{"type":"ready"}\n' >&3"#

    private func shell(_ name: String, _ script: String) -> ChildSpecification {
        ChildSpecification(
            name: name,
            command: ["sh", "-c", script],
            environment: ["PATH": "/usr/bin:/bin", "OWN": "yes"],
            kind: .worker,
            restart: .temporary
        )
    }

    @Test func aChildStartsClean() async throws {
        var child = shell(
            "a",
            """
            ls -x /proc/$$/fd
            echo "input $(readlink /proc/$$/fd/0)"
            echo "blocked $(grep SigBlk /proc/$$/status | cut -f2)"
            echo "ignored $(grep SigIgn /proc/$$/status | cut -f2)"
            echo "group $(ps -o pgid= -p $$ | tr -d ' ') $$"
            echo "variables $(env | grep -v -e PWD -e SHLVL -e _= | sort | tr '\\n' ' ')"
            echo "files $(ulimit -n)"
            echo "oom $(cat /proc/$$/oom_score_adj)"
            echo "folder $(pwd)"
            \(ready); read -r line <&3
            """
        )
        child.nofile = 64
        child.oomScoreAdj = 500
        child.workingDirectory = "/usr"
        let tree = try RunningTree([child])
        try await tree.said("is ready", "a/1")
        try await tree.printed("folder")
        let printed = tree.lines.filter { $0.worker == "a" }
        let pid = try #require(printed.first?.pid)
        #expect(
            printed.map { $0.message.split(separator: " ").joined(separator: " ") } == [
                "0 1 2 3", "input /dev/null", "blocked 0000000000000000", "ignored 0000000000000000",
                "group \(pid) \(pid)", "variables CHAFFINCH_CONTROL_FD=3 OWN=yes PATH=/usr/bin:/bin", "files 64",
                "oom 500", "folder /usr",
            ]
        )
        #expect(await tree.stop() == 0)
    }

    @Test func theLogKeepsStreamsApartAndCutsLongLines() async throws {
        let tree = try RunningTree([
            shell(
                "a",
                """
                echo plain; echo wrong >&2
                echo '{"level":"warning","message":"structured","n":1}' >&2
                head -c 40000 /dev/zero | tr '\\0' x; echo; echo end
                \(ready); read -r line <&3
                trap '' TERM; echo 'said while leaving'
                """
            )
        ])
        try await tree.printed("end")
        try await tree.printed("structured")
        try await tree.printed("wrong")
        let printed = tree.lines.filter { $0.worker == "a" }
        #expect(printed.first { $0.message == "plain" }?.raw.contains(#""stream":"stdout""#) == true)
        #expect(printed.first { $0.message == "wrong" }?.raw.contains(#""stream":"stderr""#) == true)
        let structured = printed.first { $0.message == "structured" }
        #expect(structured?.level == "warning")
        #expect(structured?.raw.hasPrefix(#"{"worker":"a","replica":1,"pid":"#) == true)
        #expect(printed.filter { $0.message.hasPrefix("xxx") }.map(\.message.count) == [16384, 16384, 7232])
        try await tree.said("is ready", "a/1")
        #expect(await tree.stop() == 0)
        try await tree.printed("said while leaving")
    }

    @Test func aStalledLogHoldsNobodyUpAndMemoryStaysBounded() async throws {
        let folder = try RunningTree.makeFolder()
        let done = folder.appendingPathComponent("done").path
        let line = String(repeating: "0123456789", count: 100)
        let flood = shell("a", "yes \(line) | head -c 100000000; echo >\(done); \(ready); read -r line <&3")
        let tree = try RunningTree([flood], in: folder, reading: false)
        #expect(try await eventually { FileManager.default.fileExists(atPath: done) })
        // The ring of a child is 1 MiB; the rest is the program itself, which is not optimised here.
        #expect(RunningTree.residentBytes(of: tree.pid) < 100 << 20)
        tree.readLog()
        try await tree.line { $0.message.hasPrefix("log lines were dropped") }
        #expect(try tree.status().root["log_lines_dropped"]!.integer! > 90_000)
        #expect(try await eventually { try tree.worker("a")?["memory_bytes"]?.integer != nil })
        #expect(await tree.stop() == 0)
    }

    @Test func garbageOnTheControlChannelChangesNothing() async throws {
        let tree = try RunningTree([
            shell(
                "a",
                """
                printf 'garbage\\n{"type":"unknown"}\\n{"type":"heartbeat","seq":-1}\\n\\377\\376{\\n[]\\n' >&3
                head -c 20000 /dev/zero | tr '\\0' '{' >&3; printf '\\n' >&3
                \(ready)
                printf '{"type":"stats","pages":7}\\n{"type":"generation","rules":4,"ok":true}\\n' >&3
                printf '{"type":"heartbeat","seq":1,"progress":9}\\n' >&3
                read -r line <&3
                """
            )
        ])
        try await tree.said("is ready", "a/1")
        #expect(try await eventually { try tree.worker("a")?["heartbeat_age"]?.double != nil })
        let worker = try tree.worker("a")
        #expect(worker?["state"]?.string == "ready")
        #expect(worker?["control_errors"]?.integer == 6)
        let warning = try await tree.said("wrote lines to its control channel that are no messages; they are counted")
        #expect(warning.raw.contains(#""line":"garbage""#))
        #expect(worker?["stats"]?["pages"]?.integer == 7)
        #expect(worker?["rates"]?["pages"]?.double ?? 0 > 0)
        #expect(worker?["work_rate"]?.double ?? 0 > 0)
        #expect(worker?["rules_generation"]?.integer == 4)
        #expect(worker?["progress"]?.integer == 9)
        #expect(await tree.stop() == 0)
    }

    @Test func aFloodOnTheControlChannelKeepsNobodyWaiting() async throws {
        let floods = (1...4).map { shell("flood-\($0)", "yes >&3") }
        let tree = try RunningTree(floods + [shell("a", "\(ready); read -r line <&3")])
        #expect(try await eventually { try tree.worker("flood-4")?["control_errors"]?.integer ?? 0 > 10_000 })
        #expect(try tree.worker("a")?["state"]?.string == "ready")
        // Each must be answered within five seconds.
        for _ in 0..<10 { _ = try tree.status() }
        #expect(await tree.stop() == 0)
    }

    @Test func closingTheChannelIsNotAnExit() async throws {
        let tree = try RunningTree(
            [shell("a", "\(ready); exec 3>&-; echo closed; exec sleep 1000")],
            stopTimeout: .seconds(120)
        )
        try await tree.printed("closed")
        #expect(try await eventually { try tree.worker("a")?["state"]?.string == "ready" })
        // It cannot be told to drain any more, so it is not waited for.
        let clock = ContinuousClock()
        let asked = clock.now
        #expect(await tree.stop() == 0)
        #expect(clock.now - asked < .seconds(60))
    }

    @Test func theStatusHasTheAgreedShape() async throws {
        let tree = try RunningTree([shell("a", "\(ready); read -r line <&3")])
        try await tree.said("is ready", "a/1")
        let status = try tree.status()
        #expect(status.root["name"]?.string == "test")
        #expect(status.root["state"]?.string == "ready")
        #expect(status.root["generation"]?.integer == 3)
        // What it uses is measured beside the answer.
        #expect(try await eventually { try tree.worker("a")?["memory_bytes"]?.integer ?? 0 > 10_000 })
        let worker = try #require(try tree.worker("a"))
        #expect(
            worker.members.map(\.key) == [
                "name", "replica", "state", "pid", "ready", "restarts", "started_at", "breaker", "last_exit",
                "heartbeat_age", "memory_bytes", "cpu_seconds", "rules_generation", "uptime", "restarts_in_window",
                "next_start_in", "progress", "work_rate", "backlog", "waiting_for", "control_errors", "stats", "rates",
                "services", "log",
            ]
        )
        #expect(worker["ready"]?.boolean == true)
        #expect(worker["last_exit"]?.isNull == true)
        #expect(worker["started_at"]?.string.flatMap { Timestamp(iso8601: $0) } != nil)
        #expect(worker["cpu_seconds"]?.double ?? -1 >= 0)
        #expect(worker["breaker"]?["state"]?.string == "closed")
        for (request, answer) in [
            (#"{"type":"dance"}"#, #"{"error":"unknown request 'dance'"}"#),
            ("nonsense", #"{"error":"a request is a JSON object with a type"}"#),
        ] {
            #expect(try StatusClient.request(socket: tree.socket, request) == Array(answer.utf8))
        }
        var file = stat()
        #expect(lstat(tree.socket, &file) == 0 && file.st_mode & 0o777 == 0o600)
        #expect(await tree.stop() == 0)
    }

    @Test func clientsThatSayNothingKeepNobodyFromAnAnswer() async throws {
        let tree = try RunningTree([shell("a", "\(ready); read -r line <&3")])
        try await tree.said("is ready", "a/1")
        var clients: [Descriptor] = []
        for number in 0..<100 {
            let client = try #require(Self.connect(to: tree.socket))
            if number % 2 == 0 { _ = client.write(Array(#"{"type":"sta"#.utf8)) }
            clients.append(client)
        }
        for _ in 0..<10 { #expect(try tree.worker("a")?["state"]?.string == "ready") }
        withExtendedLifetime(clients) {}
        #expect(await tree.stop() == 0)
    }

    @Test func aStoppedSupervisorIsReportedInTime() async throws {
        let tree = try RunningTree([shell("a", "\(ready); read -r line <&3")])
        try await tree.said("is ready", "a/1")
        tree.signal(SIGSTOP)
        // More than the queue of a listener holds.
        for _ in 0..<30 {
            let error = #expect(throws: SupervisionError.self) {
                try StatusClient.request(socket: tree.socket, #"{"type":"status"}"#, timeout: .milliseconds(20))
            }
            #expect(error?.description == "the supervisor does not answer")
        }
        tree.signal(SIGCONT)
        #expect(try await eventually { try tree.worker("a")?["state"]?.string == "ready" })
        #expect(await tree.stop() == 0)
    }

    private static func connect(to path: String) -> Descriptor? {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        let descriptor = Descriptor(number)
        return result == 0 ? descriptor : nil
    }

    @Test func aDeepFolderDoesNotKeepTheStatusAway() async throws {
        let deep = try RunningTree.makeFolder().appendingPathComponent(String(repeating: "deep/", count: 30))
        try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
        let tree = try RunningTree([shell("a", "\(ready); read -r line <&3")], in: deep)
        try await tree.said("is ready", "a/1")
        #expect(try tree.worker("a")?["state"]?.string == "ready")
        // A supervisor that was killed leaves its socket; the next one replaces it.
        tree.signal(SIGKILL)
        _ = await tree.exitCode()
        let next = try RunningTree([shell("a", "\(ready); read -r line <&3")], in: deep)
        try await next.said("is ready", "a/1")
        #expect(try next.worker("a")?["state"]?.string == "ready")
        #expect(await next.stop() == 0)
    }
}
