import Logging
import Messaging
import Model
import PipelineFile
import Storage

/// `setup`: declares the topology and creates or widens the tables, before any worker sees the generation. A job that
/// ends.
package struct SetupJob {
    private let context: WorkerContext

    package init(_ context: WorkerContext) {
        self.context = context
    }

    package func run() async throws {
        try await setUpTables()
        try await setUpTopology()
        context.logger.info("setup is done", metadata: ["generation": "\(context.generation.number)"])
    }

    private func setUpTables() async throws {
        let store = try context.openStore(url: context.optionalSecret(context.pipeline.store.setupURL))
        let report = try await store.setUp()
        await store.close()
        for change in report.applied { context.logger.info("\(change)") }
    }

    private func setUpTopology() async throws {
        try await TopologySetup.declare(
            context.topology,
            at: try context.brokerAddress(),
            logger: context.logger
        )
    }
}
