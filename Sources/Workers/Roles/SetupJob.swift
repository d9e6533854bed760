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
            do {
                return (report: try await store.setUp(), stages: try await store.rememberStages(topology.stages))
            } catch let error as StoreError where error.code == .permission {
                // Whoever starts the pipeline with a wrong password is to be told at once.
                throw WorkerFailure(exitCode: ExitCode.configuration, "\(error)")
            }
        }
        await store.close()
        for change in done?.report.applied ?? [] { context.logger.info("\(change)") }
        return done?.stages
    }

    private func warnOfWhatIsLeft(in stages: [String]) async {
        for left in await FormerQueues.left(in: stages, context) {
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
