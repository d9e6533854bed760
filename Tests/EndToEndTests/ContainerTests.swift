import Foundation
import TestSupport
import Testing

enum Namespaces {
    static func areThere() async -> Bool {
        (try? await RunningProgram.run("/usr/bin/unshare", ["-Urpf", "true"]))?.exitCode == 0
    }
}

/// The supervisor as a container has it: PID 1 of its own namespace, an ordinary user, a read-only root file system with
/// one writable folder, and nothing but standard error to write to.
@Suite(
    .serialized,
    .timeLimit(.minutes(3)),
    .enabled("needs user namespaces: unshare -Urpf true") { await Namespaces.areThere() }
)
struct ContainerTests {
    /// Outside everything is root's and can be mounted; inside there is one user without any rights.
    private static let container = """
        set -e
        mount --bind "$1/data" "$1/data"
        mount -o remount,bind,ro /
        cd "$1"
        exec unshare -Upf --map-user=10001 --map-group=10001 --mount-proc --kill-child \\
            "$2" supervisor --config pipeline.yaml
        """

    private static func command(_ folder: URL) -> [String] {
        ["/usr/bin/unshare", "-Urm", "/bin/sh", "-c", container, "sh", folder.path, Project.binary("chaffinch")]
    }

    private func folder(_ workers: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("name: container\nworkers:\n\(workers)\n", to: "pipeline.yaml")
        try FileManager.default.createDirectory(
            at: folder.url.appending(path: "data"),
            withIntermediateDirectories: true
        )
        return folder
    }

    private func start(_ folder: TemporaryFolder) throws -> RunningProgram {
        let command = Self.command(folder.url)
        return try RunningProgram(
            command[0],
            Array(command.dropFirst()),
            logs: folder.url,
            name: "supervisor"
        )
    }

    /// The supervisor's process as it is known outside: the descendant that is number 1 within.
    private func supervisor(below pid: Int32) async throws -> Int32 {
        var found: Int32?
        try await eventually("the supervisor runs as PID 1") {
            found =
                Self.processes().first { process in
                    process.namespaced.last == 1 && process.name == "chaffinch"
                        && Self.ancestors(of: process).contains(pid)
                }?.pid
            return found != nil
        }
        return try #require(found)
    }

    private struct Entry {
        var pid: Int32
        var parent: Int32
        var name: String
        var state: String
        var user: String
        var namespaced: [Int32]
    }

    /// From `/proc/PID/status` (proc(5)).
    private static func processes() -> [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.compactMap { pid in
            guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
            func field(_ name: String) -> [String] {
                let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
                return line?.split(whereSeparator: { $0 == "\t" || $0 == " " }).dropFirst().map(String.init) ?? []
            }
            return Entry(
                pid: pid,
                parent: field("PPid").first.flatMap { Int32($0) } ?? 0,
                name: field("Name").first ?? "",
                state: field("State").first ?? "",
                user: field("Uid").first ?? "",
                namespaced: field("NSpid").compactMap { Int32($0) }
            )
        }
    }

    private static func ancestors(of process: Entry) -> [Int32] {
        let parents = Dictionary(processes().map { ($0.pid, $0.parent) }) { first, _ in first }
        return Array(sequence(first: process.parent) { parents[$0] }.prefix { $0 > 0 }.prefix(20))
    }

    @Test func runsAsAnOrdinaryUserOnAReadOnlySystemAndStops() async throws {
        let folder = try folder(
            """
              looks:
                command: [sh, -c, 'echo "user $(id -u)"; touch /probe 2>&1; touch data/probe && echo "wrote"; exec sleep 1000']
              leaves:
                command: [sh, -c, ': >data/up; for n in 1 2 3 4 5; do setsid sh -c "echo >>data/up; exec sleep 1000" & done; until [ $(wc -l <data/up) = 5 ]; do sleep 0.1; done; exit 0']
                restart: temporary
            """
        )
        let container = try start(folder)
        try await eventually("the workers have spoken") {
            container.errors.contains(#/"message":"wrote"/#)
                && container.errors.contains(#/"child":"leaves\/1".*"code":0/#)
        }
        #expect(container.errors.contains(#""message":"user 10001""#))
        #expect(container.errors.contains(#/"message":"touch: [^"]*Read-only file system/#), "\(container.errors)")
        let supervisor = try await supervisor(below: container.pid)
        #expect(!Self.processes().contains { $0.parent == supervisor && $0.state == "Z" })
        try await eventually("orphans are its own") {
            Self.processes().count { $0.parent == supervisor && $0.name == "sleep" } == 6
        }

        // What the image's HEALTHCHECK runs.
        let live = try await RunningProgram.run(
            Project.binary("chaffinch"),
            ["status", "--live", "--data", folder.url.appending(path: "data").path]
        )
        #expect(live.exitCode == 0, "\(live.errors)")
        kill(supervisor, SIGTERM)
        #expect(await container.exitCode() == 0)
        #expect(!Self.processes().contains { $0.parent == supervisor })
    }

    /// Docker kills ten seconds after SIGTERM, with the image's own settings.
    @Test func stopsWithinDockersTenSecondsWhateverItsChildrenDo() async throws {
        let folder = try folder(
            """
              stubborn:
                command: [sh, -c, 'trap "" TERM; echo "up"; while :; do sleep 1; done']
              hidden:
                command: [sh, -c, 'trap "" TERM; setsid sh -c "trap \\"\\" TERM; echo out; while :; do sleep 1; done" & exec sleep 1000']
            """
        )
        // On a busy machine a stop takes longer than it would; one in time shows what the settings allow.
        var took = Duration.zero
        for _ in 1...3 {
            let container = try start(folder)
            try await eventually("both are up") {
                container.errors.contains(#""message":"up""#) && container.errors.contains(#""message":"out""#)
            }
            let supervisor = try await supervisor(below: container.pid)
            let asked = ContinuousClock.now
            kill(supervisor, SIGTERM)
            #expect(await container.exitCode() == 75)
            took = .now - asked
            if took < .seconds(10) { break }
        }
        #expect(took < .seconds(10))
    }

    /// `docker run --tty`: the log is text in colours, and Ctrl-C stops.
    @Test func runsOnATerminalToo() async throws {
        let folder = try folder("  idle: { command: [sleep, \"1000\"] }")
        let terminal = try PseudoTerminal(Self.command(folder.url), in: folder.url, size: (100, 30))
        try await eventually("it is ready") { terminal.output.contains("the whole tree is ready") }
        #expect(terminal.output.contains("\u{1B}[32mINFO"))
        terminal.type("\u{03}")
        #expect(try await terminal.exitCode() == 0)
        try await eventually("it says that it stopped") { terminal.output.contains("stopped") }
    }
}
