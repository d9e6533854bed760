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
        guard try await setUpTables(), try await setUpTopology() else {
            throw WorkerFailure(exitCode: ExitCode.unavailable, "setup was ended before it was done")
        }
        context.logger.info("setup is done", metadata: ["generation": "\(context.generation.number)"])
    }

    private func setUpTables() async throws -> Bool {
        let store = try context.openStore(url: context.optionalSecret(context.pipeline.store.setupURL))
        let report = try await context.untilAvailable(.database) { try await store.setUp() }
        await store.close()
        for change in report?.applied ?? [] { context.logger.info("\(change)") }
        return report != nil
    }

    private func setUpTopology() async throws -> Bool {
        let (topology, address, logger) = (context.topology, try context.brokerAddress(), context.logger)
        let declared: Void? = try await context.untilAvailable(.broker) {
            try await TopologySetup.declare(topology, at: address, logger: logger)
        }
        return declared != nil
    }
}
