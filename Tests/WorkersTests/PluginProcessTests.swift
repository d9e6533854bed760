import Foundation
import Processes
import TestSupport
import Testing

@testable import Workers

/// Whatever a plugin does, its host stays in step or knows that it is not.
@Suite(.timeLimit(.minutes(2))) struct PluginProcessTests {
    private static let long = Duration.seconds(60)

    init() {
        // As every worker does: a plugin that closes its input must not end its host.
        signal(SIGPIPE, SIG_IGN)
    }

    private func plugin(_ script: String, in folder: TemporaryFolder? = nil) throws -> PluginProcess {
        try PluginProcess(
            PluginCommand(
                words: ["sh", "-c", script],
                environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "SHOWN": "yes"],
                workingDirectory: folder?.url.path ?? "/"
            )
        )
    }

    private func started(_ script: String, in folder: TemporaryFolder? = nil) async throws -> PluginProcess {
        let plugin = try plugin(script, in: folder)
        try await plugin.start(settling: .milliseconds(50))
        return plugin
    }

    private func ask(_ plugin: PluginProcess, _ line: String, within limit: Duration = long) async throws -> String {
        String(decoding: try await plugin.ask(Array((line + "\n").utf8), within: limit), as: UTF8.self)
    }

    private func fault(of script: String, within limit: Duration = long) async throws -> PluginFault? {
        let plugin = try await started(script)
        let fault = await #expect(throws: PluginFault.self) { try await ask(plugin, "question", within: limit) }
        await plugin.stop(within: .zero)
        return fault
    }

    @Test func linesAreAnsweredInTurn() async throws {
        let plugin = try await started(#"while read -r line; do echo "$SHOWN $line"; done"#)
        for number in 1...100 { #expect(try await ask(plugin, "\(number)") == "yes \(number)") }
        #expect(await plugin.end == nil)
        await plugin.stop(within: Self.long)
        #expect(await plugin.end?.code == 0)
    }

    @Test func questionsAndAnswersMayBeLargerThanAPipe() async throws {
        let plugin = try await started("exec cat")
        let line = String(repeating: "x", count: 700_000)
        for _ in 1...3 { #expect(try await ask(plugin, line) == line) }
        await plugin.stop(within: .zero)
    }

    @Test func eachWayToGoWrongHasItsName() async throws {
        let quick = Duration.milliseconds(300)
        #expect(try await fault(of: "exec sleep 1000", within: quick) == .silent(quick))
        #expect(try await fault(of: "read -r line; exit 3") == .ended(PluginEnd(code: 3, "ended with exit code 3")))
        #expect(
            try await fault(of: "read -r line; kill -9 $$") == .ended(PluginEnd(code: 137, "was ended by SIGKILL"))
        )
        #expect(try await fault(of: "read -r line; exec >&-; exec sleep 1000") == .closedOutput)
        #expect(try await fault(of: "read -r line; printf 'a\\nb\\n'; exec sleep 1000") == .severalLines)
        #expect(try await fault(of: "read -r line; tr '\\0' x < /dev/zero") == .endless)
        #expect(try await fault(of: "read -r line; yes 2> /dev/null") == .severalLines)
    }

    /// Else the rest of the question would be read as the start of the next.
    @Test func anAnswerToHalfAQuestionIsNone() async throws {
        let plugin = try await started("dd bs=1 count=9 of=/dev/null 2>/dev/null; echo early; exec sleep 1000")
        let line = String(repeating: "x", count: 700_000)
        await #expect(throws: PluginFault.answeredEarly) { try await ask(plugin, line) }
        await plugin.stop(within: .zero)
    }

    @Test func hasteThatIsOverShortensNothing() throws {
        let haste = try Haste()
        let far = ContinuousClock.now + .seconds(3600)
        #expect(haste.timeLeft(until: far) > .seconds(1800))
        haste.begin(within: .seconds(60))
        #expect(haste.timeLeft(until: far) <= .seconds(60))
        let over = try Haste()
        over.begin(within: .zero)
        // A wait of no time at all, asked for again and again, would keep a processor busy.
        #expect(over.isOver && over.timeLeft(until: far) > .seconds(1800))
        #expect(over.timeLeft(until: .now - .seconds(1)) == .zero)
    }

    @Test func anInputThatNobodyReadsIsNoticed() async throws {
        let plugin = try await started("exec <&-; exec sleep 1000")
        await #expect(throws: PluginFault.closedInput) { try await ask(plugin, "question") }
        await plugin.stop(within: .zero)
    }

    /// Its answer would count for the wrong message.
    @Test func whatItSaysUnaskedIsFoundBeforeTheNextQuestion() async throws {
        let folder = try TemporaryFolder()
        let plugin = try await started(
            "read -r line; echo one; until [ -e go ]; do sleep 0.02; done; echo two; : > said; exec sleep 1000",
            in: folder
        )
        #expect(try await ask(plugin, "question") == "one")
        try folder.write("", to: "go")
        try await eventually("it spoke again") { access(folder.url.path + "/said", F_OK) == 0 }
        await #expect(throws: PluginFault.spokeUnasked) { try await ask(plugin, "next") }
        await plugin.stop(within: .zero)
    }

    @Test func anAnswerJustBeforeTheEndCounts() async throws {
        let plugin = try await started("read -r line; echo last; exit 4")
        #expect(try await ask(plugin, "question") == "last")
        try await eventually("it has ended") { await plugin.end != nil }
        await #expect(throws: PluginFault.wasGone(PluginEnd(code: 4, "ended with exit code 4"))) {
            try await ask(plugin, "next")
        }
    }

    private static let unfit: [(words: [String], code: Int32)] = [
        (["nothing-is-called-like-this"], 127), (["/etc/passwd"], 126), (["sh", "-c", "exit 9"], 9),
    ]

    @Test(arguments: unfit) func whatCannotServeIsNotAsked(words: [String], code: Int32) async throws {
        let command = PluginCommand(words: words, environment: ["PATH": "/usr/bin:/bin"], workingDirectory: "/")
        let plugin = try PluginProcess(command)
        let end = await #expect(throws: PluginEnd.self) { try await plugin.start(settling: .seconds(30)) }
        #expect(end?.code == code)
    }

    @Test func whatSpeaksFirstCannotServe() async throws {
        let folder = try TemporaryFolder()
        let plugin = try plugin("echo ready; : > said; exec sleep 1000", in: folder)
        // However slow the machine: each start is as good as another.
        var end: PluginEnd?
        while end == nil {
            do { try await plugin.start(settling: .milliseconds(100)) } catch { end = error }
        }
        #expect(end == PluginEnd(code: 70, "it wrote to its standard output without being asked"))
    }

    @Test func itIsStartedAnewAfterAFault() async throws {
        let plugin = try await started("read -r line; case $line in bad) exit 1;; esac; echo $$; cat")
        let first = try await ask(plugin, "good")
        try await plugin.start(settling: .zero)
        await #expect(throws: PluginFault.self) { try await ask(plugin, "bad") }
        try await plugin.start(settling: .zero)
        #expect(try await ask(plugin, "good") != first)
        await plugin.stop(within: .zero)
    }

    @Test func itsWholeGroupEndsWithIt() async throws {
        let plugin = try await started(
            "trap '' TERM; (trap '' TERM; exec sleep 1000) & read -r line; echo $!; while :; do sleep 1000; done"
        )
        let pid = try #require(Int32(try await ask(plugin, "question")))
        #expect(kill(pid, 0) == 0)
        await plugin.stop(within: .milliseconds(200))
        #expect(await plugin.end?.code == 137)
        try await eventually("its own child is gone") { kill(pid, 0) != 0 || Self.isZombie(pid) }
    }

    /// An orphan may wait for a parent that reaps it.
    private static func isZombie(_ pid: Int32) -> Bool {
        guard let file = fopen("/proc/\(pid)/stat", "r") else { return true }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        guard fgets(&line, 512, file) != nil else { return true }
        return String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self).contains(") Z ")
    }

    @Test func hasteCutsAWaitShort() async throws {
        let plugin = try await started("exec sleep 1000")
        let asked = Task { try await ask(plugin, "question", within: .seconds(3600)) }
        plugin.hurry(within: .milliseconds(50))
        await #expect(throws: PluginFault.interrupted) { try await asked.value }
        await plugin.stop(within: .zero)
    }

    @Test func theEnvironmentPassesThroughTheHostUnderAPrefix() throws {
        let variables = PluginCommand.hostVariables(for: ["PATH": "/x", "KEY": "k"])
        #expect(variables == ["CHAFFINCH_PLUGIN_ENV_PATH": "/x", "CHAFFINCH_PLUGIN_ENV_KEY": "k"])
    }
}
