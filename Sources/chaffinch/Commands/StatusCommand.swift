import ArgumentParser
import Model
import Workers

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows what the supervisor's workers do.",
        discussion: """
            Examples:
              chaffinch status
              chaffinch status --json | jq '.workers[] | {name, state}'
              chaffinch status --live            no output; 0 if the supervisor answers, for health checks
              chaffinch top                      the same, again and again

            RESTARTS counts all, and in brackets those within the breaker's window. WORK and COUNTS are means of the last
            ten seconds: units of work finished, and the counters that the worker reports. Of a worker that failed the
            last ten lines that it printed follow.

            Exits 0 when every worker is ready, 1 when one is not, 69 when no supervisor answers.
            """
    )

    @OptionGroup var supervisor: SupervisorOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Only say by the exit code whether the supervisor answers.")
    var live = false

    func run() throws {
        let document: JSONDocument
        do {
            document = try supervisor.request("status")
        } catch let failure as CommandFailure where live {
            throw CommandFailure(failure.exitCode)
        }
        if live { return }
        let view = StatusView(document.root)
        if json {
            Terminal.output(Array(document.root.raw))
        } else {
            for line in view.lines(width: Terminal.outputWidth) { Terminal.output(line.rendered) }
        }
        if !view.allReady { throw CommandFailure(ExitCode.failed) }
    }
}
