import ArgumentParser
import Foundation
import Logging
import Messaging
import PipelineFile
import Storage
import Workers

struct SetupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup",
        abstract: "Creates or widens the tables and declares the queues, then ends.",
        discussion: """
            The supervisor does this by itself at every start. By hand it is for an operator who wants to see the changes
            first, or whose workers may not change tables.

            Examples:
              chaffinch setup
              DATABASE_SETUP_URL=postgres://owner@db/chaffinch chaffinch setup

            A managed broker runs only under the supervisor; then only the tables are set up here.
            """
    )

    @OptionGroup var options: ConfigOption

    func run() throws {
        let check = try options.check(resolvingSecrets: true)
        guard let pipeline = check.pipeline else { throw CommandFailure(ExitCode.configuration) }
        let secrets = check.secrets
        let logger = Logger(label: "setup") { _ in JSONLogHandler(level: .warning) }
        do {
            try waiting {
                try await Self.setUpTables(pipeline, secrets, logger)
                try await Self.setUpQueues(pipeline, secrets, logger)
            }
        } catch {
            throw CommandFailure(WorkerProcess.exitCode(of: error), "\(error)")
        }
    }

    private static func setUpTables(_ pipeline: Pipeline, _ secrets: [String: String], _ logger: Logger) async throws {
        let reference = pipeline.store.setupURL ?? pipeline.store.url
        guard let url = secrets[reference.variable] else {
            throw CommandFailure(ExitCode.configuration, "store.url is not set")
        }
        let store = try openStore(
            url,
            schema: StoreSchema(pipeline: pipeline.name, records: pipeline.records),
            name: "chaffinch setup",
            logger: logger
        )
        let report = try await store.setUp()
        await store.close()
        for change in report.applied { Terminal.output(change) }
        if report.applied.isEmpty { Terminal.output("the tables are up to date") }
    }

    private static func setUpQueues(_ pipeline: Pipeline, _ secrets: [String: String], _ logger: Logger) async throws {
        guard !pipeline.broker.isManaged, let url = secrets[pipeline.broker.url.variable] else {
            Terminal.output("the broker is managed; the supervisor sets its queues up")
            return
        }
        let topology = Topology(prefix: pipeline.broker.prefix)
        let address = try BrokerAddress(url)
        try await TopologySetup.declare(topology, at: address, logger: logger)
        Terminal.output("the queues under '\(pipeline.broker.prefix)' are declared and answer")
    }
}
