import ArgumentParser
import Foundation
import Model
import Supervision
import Workers

struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Restarts a worker, one replica after the other, and waits until each is ready.",
        discussion: """
            Examples:
              chaffinch restart parse          every replica
              chaffinch restart parse/2

            The process drains before it ends. A worker that is held back by its back-off or its breaker is started at
            once. Exits 1 when there is no such worker or it does not become ready, 69 when no supervisor answers.
            """
    )

    @OptionGroup var supervisor: SupervisorOptions

    @Argument(help: ArgumentHelp("A worker, or one replica of it.", valueName: "worker"))
    var worker: String

    @Option(help: ArgumentHelp("How long to wait for each replica.", valueName: "seconds"))
    var timeout = 120

    func run() throws {
        let status = try supervisor.request("status")
        let known = status.root["workers"]?.elements.map { AwaitedReplica($0) } ?? []
        let replicas = known.filter { $0.child == worker || $0.name == worker }
        guard !replicas.isEmpty else {
            throw CommandFailure(ExitCode.failed, "there is no worker '\(worker)'; 'chaffinch status' lists them")
        }
        for replica in replicas {
            for awaited in try supervisor.act("restart", on: replica.name) {
                try wait(for: awaited, failedBefore: replica.failures)
            }
            Terminal.output("\(replica.name) is ready")
        }
    }

    private func wait(for replica: AwaitedReplica, failedBefore: Int64) throws {
        let deadline = ContinuousClock.now + .seconds(timeout)
        while true {
            let status = try supervisor.request("status")
            guard let worker = status.root["workers"]?.elements.first(where: replica.isDescribed) else {
                throw CommandFailure(ExitCode.failed, "\(replica.name) is no longer there")
            }
            let state = worker["state"]?.string ?? ""
            let restarts = worker["restarts"]?.integer ?? 0
            if restarts >= replica.restarts {
                if worker["ready"]?.boolean == true { return }
                // It has ended again, perhaps so quickly that a further one is already being started; but somebody else
                // may have restarted it too, which is no failure.
                let isDown = ["backoff", "open", "failed", "stopped"].contains(state)
                let hasFailed = (worker["breaker"]?["failures"]?.integer ?? 0) > failedBefore
                if isDown || (restarts > replica.restarts && hasFailed) { throw notReady(replica, state, worker) }
            }
            guard ContinuousClock.now < deadline else { throw notReady(replica, state, worker) }
            usleep(100_000)
        }
    }

    private func notReady(_ replica: AwaitedReplica, _ state: String, _ worker: JSONView) -> CommandFailure {
        let exit = worker["last_exit"]?["reason"]?.string.map { "; its last process: \($0)" } ?? ""
        return CommandFailure(ExitCode.failed, "\(replica.name) is not ready but '\(state)'\(exit)")
    }
}
