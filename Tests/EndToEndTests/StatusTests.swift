import Foundation
import TestSupport
import Testing

/// `status` and `top` as people see them, on a tree of plain commands.
@Suite(.serialized, .timeLimit(.minutes(3))) struct StatusTests {
    /// A folder with a pipeline of commands, and a supervisor that runs them.
    private final class Yard: Sendable {
        let folder: TemporaryFolder

        init(_ workers: String) throws {
            folder = try TemporaryFolder()
            try folder.write("name: yard\nworkers:\n\(workers)\n", to: "pipeline.yaml")
        }

        func start(_ name: String) throws -> RunningProgram {
            try RunningProgram(
                Project.binary("chaffinch"),
                ["supervisor"],
                in: folder.url,
                logs: folder.url,
                name: name
            )
        }

        func status() async throws -> (exitCode: Int32, output: String, errors: String) {
            try await RunningProgram.run(Project.binary("chaffinch"), ["status"], in: folder.url)
        }

        func top(_ columns: UInt16 = 120, _ rows: UInt16 = 30) throws -> PseudoTerminal {
            try PseudoTerminal([Project.binary("chaffinch"), "top"], in: folder.url, size: (columns, rows))
        }
    }

    @Test func showsWhatFailedAndItsLastLines() async throws {
        let yard = try Yard(
            """
              idle: { command: [sleep, "1000"] }
              breaks:
                command: [sh, -c, 'for n in $(seq 12); do printf "line $n \\033[2J\\n"; done; exit 3']
                backoff: { initial: 50ms, max: 100ms }
            """
        )
        let supervisor = try yard.start("supervisor")
        try await eventually("the breaker is open and the other ready") {
            let output = try await yard.status().output
            return output.contains(#/breaks\/1 +open/#) && output.contains(#/idle\/1 +ready/#)
        }
        // The last process's lines may come after its end.
        try await eventually("its last line is shown") {
            try await yard.status().output.split(separator: "\n").last?.contains("line 12") ?? false
        }
        let status = try await yard.status()
        #expect(status.exitCode == 1)
        let lines = status.output.split(separator: "\n").map(String.init)
        #expect(lines[0].hasPrefix("yard  degraded  generation 1  pid \(supervisor.pid)"))
        #expect(lines[1].hasPrefix("WORKER    STATE"))
        let row = try #require(lines.first { $0.hasPrefix("breaks/1 ") })
        #expect(row.contains("4 (4)") && row.contains(#/open \d+s/#) && row.contains("exit 3"))
        let note = try #require(lines.firstIndex { $0.hasPrefix("breaks/1: exited with code 3 at ") })
        #expect(lines[note].contains("; starts again in "))
        #expect(
            lines[(note + 1)...].map { $0.trimmingCharacters(in: .whitespaces) } == (3...12).map { "line \($0)  [2J" }
        )
        #expect(!status.output.contains("\u{1B}"))
        #expect(await supervisor.stop() == 0)
    }

    @Test func topFollowsTheTreeAndGivesTheTerminalBack() async throws {
        let yard = try Yard("  idle: { replicas: 8, command: [sleep, \"1000\"] }")
        let first = try yard.start("first")
        let top = try yard.top()
        try await eventually("all are shown") { top.screen.filter { $0.contains("ready") }.count == 9 }
        #expect(!top.isAsFound)
        #expect(top.screen.last == "q quits")

        top.resize(columns: 25, rows: 6)
        try await eventually("it fits the narrow window") {
            let screen = top.screen
            return screen.count == 6 && screen.allSatisfy { $0.count <= 25 }
                && screen.contains { $0.hasPrefix("idle/1  ready") }
                && screen.contains { $0.hasPrefix("and ") && $0.contains("more") }
        }
        top.resize(columns: 120, rows: 30)

        #expect(await first.stop() == 0)
        try await eventually("it says that nobody answers") {
            top.screen.first?.contains("no supervisor answers") ?? false
        }
        let second = try yard.start("second")
        try await eventually("it recovers") { top.screen.first?.contains("pid \(second.pid)") ?? false }

        // Paused as by a shell, and resumed.
        top.type("\u{1A}")
        try await eventually("it pauses") { top.state == "T" }
        #expect(top.isAsFound)
        let before = top.output.count
        kill(top.pid, SIGCONT)
        try await eventually("it goes on") {
            !top.isAsFound && top.output.dropFirst(before).contains("idle/1")
        }
        // Paused without a warning, while a shell put the terminal right.
        kill(top.pid, SIGSTOP)
        try await eventually("it is stopped") { top.state == "T" }
        kill(top.pid, SIGCONT)
        // Stopped and killed, it hangs up at once instead of waiting for an answer for ever.
        second.send(SIGSTOP)
        try await eventually("it says that there is no answer") {
            top.screen.first?.contains("does not answer") ?? false
        }
        second.send(SIGCONT)
        try await eventually("it recovers") { top.screen.first?.contains("ready") ?? false }

        top.type("xq")
        #expect(try await top.exitCode() == 0)
        #expect(top.isAsFound)
        try await eventually("it leaves its screen") { top.output.hasSuffix("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l") }
        #expect(await second.stop() == 0)
    }

    @Test(arguments: [("\u{03}", Int32(0), Int32(130)), ("\u{1C}", 0, 131), ("", SIGTERM, 143), ("", SIGHUP, 129)])
    func topEndsTidilyOnSignals(typed: String, signal: Int32, exitCode: Int32) async throws {
        let yard = try Yard("  idle: { command: [sleep, \"1000\"] }")
        let top = try yard.top()
        try await eventually("it draws") { !top.screen.isEmpty }
        if typed.isEmpty { kill(top.pid, signal) } else { top.type(typed) }
        #expect(try await top.exitCode() == exitCode)
        #expect(top.isAsFound)
        try await eventually("it leaves its screen") { top.output.hasSuffix("\u{1B}[?1049l") }
    }

    @Test func topRefusesWhatIsNoTerminal() async throws {
        let yard = try Yard("  idle: { command: [sleep, \"1000\"] }")
        let plain = try await RunningProgram.run(Project.binary("chaffinch"), ["top"], in: yard.folder.url)
        #expect(plain.exitCode == 64)
        #expect(plain.errors == "chaffinch: top needs a terminal; use 'chaffinch status' here\n")
        #expect(plain.output.isEmpty)
        let dumb = try PseudoTerminal(
            [Project.binary("chaffinch"), "top"],
            environment: ["TERM": "dumb"],
            in: yard.folder.url,
            size: (80, 24)
        )
        #expect(try await dumb.exitCode() == 64)
    }
}
