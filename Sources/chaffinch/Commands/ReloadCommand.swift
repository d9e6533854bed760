import ArgumentParser
import Foundation
import Model
import Supervision
import Workers

struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Takes over pipeline.yaml and the rule files as they are now, and waits until every worker has.",
        discussion: """
            Examples:
              chaffinch reload
              chaffinch reload --timeout 600     where a rolling restart takes long

            The supervisor does the same by itself when one of the files changes, and on SIGHUP. Prints what changed, or
            every mistake with its place. Exits 0 when what the files say is live, 1 when some of it is not, 69 when no
            supervisor answers.
            """
    )

    @OptionGroup var supervisor: SupervisorOptions

    @Option(help: ArgumentHelp("How long to wait.", valueName: "seconds"))
    var timeout = 300

    func run() throws {
        let answer = try supervisor.request("reload").root
        if let refusal = answer["error"]?.string { throw CommandFailure(ExitCode.failed, refusal) }
        let number = answer["reload"]?.integer ?? 0
        let status = try wait(for: number)
        let reload = status.root["reload"]
        let changes = reload?["changes"]?.elements.compactMap(\.string) ?? []
        let problems = reload?["problems"]?.elements.compactMap(\.string) ?? []
        for change in changes { Terminal.output(change) }
        for problem in problems { Terminal.error(problem) }
        let generation = status.root["generation"]?.integer ?? 0
        guard problems.isEmpty, reload?["result"]?.string != "refused" else {
            let reason = status.root["degraded"]?.string ?? "not all of it could be taken over"
            throw CommandFailure(ExitCode.failed, reason)
        }
        let verb = changes.isEmpty ? "nothing to change" : "live"
        Terminal.output("\(Terminal.styled("ok", .green))  generation \(generation): \(verb)")
    }

    private func wait(for number: Int64) throws -> JSONDocument {
        let deadline = ContinuousClock.now + .seconds(timeout)
        while true {
            let status = try supervisor.request("status")
            let reload = status.root["reload"]
            if reload?["under_way"]?.boolean == false, (reload?["finished"]?.integer ?? 0) >= number { return status }
            guard ContinuousClock.now < deadline else {
                throw CommandFailure(ExitCode.failed, "the reload is still under way; `chaffinch status` shows how far")
            }
            usleep(50_000)
        }
    }
}
