import ArgumentParser
import Supervision

struct ResetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Closes a worker's breaker and forgets its failures; one that they kept down is started.",
        discussion: """
            Examples:
              chaffinch reset parse          every replica
              chaffinch reset parse/2

            Exits 1 when there is no such worker, 69 when no supervisor answers.
            """
    )

    @OptionGroup var supervisor: SupervisorOptions

    @Argument(help: ArgumentHelp("A worker, or one replica of it.", valueName: "worker"))
    var worker: String

    func run() throws {
        for replica in try supervisor.act("reset", on: worker) { Terminal.output("\(replica.name) is reset") }
    }
}
