import Foundation
import TestSupport
import Testing

/// Starts that are cut short, and places that a supervisor may find itself in.
@Suite(.timeLimit(.minutes(3))) struct StartTests {
    private static let plain = "name: plain\nworkers: { a: { command: [sleep, '1000'] } }\n"

    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(Self.plain, to: "pipeline.yaml")
        return folder
    }

    /// The check, once it is a program of its own: until then its parent is suspended and hears no signal.
    private func check(of pid: Int32) -> Int32? {
        let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
        guard let child = text?.split(separator: " ").first.flatMap({ Int32($0) }),
            let words = commandLine(child), !words.isEmpty, words != commandLine(pid)
        else { return nil }
        return child
    }

    private func commandLine(_ pid: Int32) -> Data? { FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") }

    /// A file system that hangs must not make a supervisor that nobody can end.
    @Test func aSignalEndsTheCheckAtTheStart() async throws {
        for _ in 1...50 {
            let folder = try folder()
            let running = try RunningProgram(
                Project.binary("chaffinch"),
                ["supervisor"],
                in: folder.url,
                logs: folder.url,
                name: "supervisor"
            )
            var check: Int32?
            while check == nil, running.isRunning, !running.errors.contains("supervisor started") {
                check = self.check(of: running.pid)
            }
            guard let check, kill(check, SIGSTOP) == 0, !running.errors.contains("supervisor started") else {
                await running.stop()
                continue
            }
            #expect(await running.stop() == 0)
            #expect(kill(check, 0) != 0)
            return
        }
        Issue.record("the check was never seen at work")
    }

    @Test(.enabled("needs user namespaces: unshare -Urpf true") { await Namespaces.areThere() })
    func withoutProcItSaysSo() async throws {
        let folder = try folder()
        let result = try await RunningProgram.run(
            "/usr/bin/unshare",
            [
                "-Urm", "/bin/sh", "-c", #"mount -t tmpfs none /proc && exec "$0" supervisor"#,
                Project.binary("chaffinch"),
            ],
            in: folder.url
        )
        #expect(result.exitCode == 78)
        #expect(result.errors.contains("there is no /proc"))
    }

    /// As an upgrade does while the supervisor starts.
    @Test(.enabled("needs user namespaces: unshare -Urpf true") { await Namespaces.areThere() })
    func aProgramThatWasReplacedMeanwhileIsNamed() async throws {
        let folder = try folder()
        let result = try await RunningProgram.run(
            "/usr/bin/unshare",
            [
                "-Urm", "/bin/sh", "-c",
                #"exec 9<"$0" && mount --bind /bin/true "$0" && exec /proc/self/fd/9 supervisor"#,
                Project.binary("chaffinch"),
            ],
            in: folder.url
        )
        #expect(result.exitCode == 70)
        let said = "/chaffinch worker check' ended well, but its report (0 bytes) is none that this version"
        #expect(result.errors.contains(said), "\(result.errors)")
        #expect(result.errors.contains("restart the supervisor"))
    }

    @Test func aTerminalThatGoesAwayEndsIt() async throws {
        let folder = try folder()
        let script = """
            import os, pty, sys
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(sys.argv[1], [sys.argv[1], "supervisor"])
            seen = b""
            while b"the whole tree is ready" not in seen:
                seen += os.read(terminal, 4096)
            os.close(terminal)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """
        let result = try await RunningProgram.run(
            "/usr/bin/env",
            ["python3", "-c", script, Project.binary("chaffinch")],
            in: folder.url
        )
        #expect(result.exitCode == 0, "\(result.errors)")
    }
}
