import Logging
import Messaging
import Model
import PipelineFile
import Storage

/// `setup`: declares the topology and creates or widens the tables, before any worker sees the generation. A job that
/// ends; it waits for servers that are away, as they may be when everything is started at once.
package struct SetupJob {
    private let context: WorkerContext

    package init(_ context: WorkerContext) {
        self.context = context
    }

    /// - Throws: ``WorkerFailure`` with exit code 69 when the process is to drain before the servers are there.
    package func run() async throws {
        guard let stages = try await setUpTables(), try await setUpTopology() else {
            throw WorkerFailure(exitCode: ExitCode.unavailable, "setup was ended before it was done")
        }
        await warnOfWhatIsLeft(in: stages)
        context.logger.info("setup is done", metadata: ["generation": "\(context.generation.number)"])
    }

    /// - Returns: all stages that the pipeline ever had; `nil` when the process drains.
    private func setUpTables() async throws -> [String]? {
        let store = try context.openStore(url: context.optionalSecret(context.pipeline.store.setupURL))
        let topology = context.topology
        let done = try await context.untilAvailable(.database) {
            (report: try await store.setUp(), stages: try await store.rememberStages(topology.stages))
        }
        await store.close()
        for change in done?.report.applied ?? [] { context.logger.info("\(change)") }
        return done?.stages
    }

    /// What is in the queue of a plugin that was taken out, or of a last resort that is off, waits there for ever.
    private func warnOfWhatIsLeft(in stages: [String]) async {
        let topology = context.topology
        let working = topology.stages.filter { $0 != Topology.openai || context.hasLastResort }
        let former = stages.filter { !working.contains($0) }
        // The dead queues of the topology are read, whoever works.
        let queues =
            former.map(topology.workQueue)
            + former.filter { !topology.stages.contains($0) }.map(topology.deadQueue)
        guard !queues.isEmpty, let address = try? context.brokerAddress() else { return }
        // It is only told of, so trouble here must not stop the start.
        for left in (try? await TopologySetup.survey(queues, at: address)) ?? [] where left.messages > 0 {
            context.logger.warning(
                """
                pages wait in a queue that nobody reads: put its plugin or the last resort back until it is empty, or \
                delete it if they may be lost
                """,
                metadata: ["queue": "\(left.queue)", "pages": "\(left.messages)"]
            )
        }
    }

    private func setUpTopology() async throws -> Bool {
        let (topology, address, logger) = (context.topology, try context.brokerAddress(), context.logger)
        let declared: Void? = try await context.untilAvailable(.broker) {
            try await TopologySetup.declare(topology, at: address, logger: logger)
        }
        return declared != nil
    }
}
