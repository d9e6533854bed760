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
              chaffinch setup --roles            on Postgres: also an owner, writer, fetcher and reader

            A managed broker runs only under the supervisor; then only the tables are set up here.
            """
    )

    @OptionGroup var options: ConfigOption

    @Flag(help: "Also make roles of least privilege, on Postgres; needs a user that may make roles.")
    var roles = false

    func run() throws {
        let check = try options.check(
            resolvingSecrets: true,
            needed: [.storeURL, .storeSetupURL, .brokerURL]
        )
        guard let pipeline = check.pipeline else { throw CommandFailure(ExitCode.configuration) }
        try options.requirePipeline(pipeline)
        let (secrets, roles) = (check.secrets, roles)
        let logger = Logger(label: "setup") { _ in JSONLogHandler(level: .warning) }
        do {
            try waiting {
                try await Self.setUpTables(pipeline, secrets, roles: roles, logger)
                try await Self.setUpQueues(pipeline, secrets, logger)
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(WorkerProcess.exitCode(of: error), "\(error)")
        }
    }

    private static func setUpTables(
        _ pipeline: Pipeline,
        _ secrets: [String: String],
        roles: Bool,
        _ logger: Logger
    ) async throws {
        let references = [pipeline.store.setupURL, pipeline.store.url].compactMap { $0 }
        guard let url = references.lazy.compactMap({ secrets[$0.variable] }).first else {
            throw CommandFailure(ExitCode.configuration, "store.url is not set")
        }
        let store = try openStore(
            url,
            schema: StoreSchema(pipeline: pipeline.name, records: pipeline.records),
            name: "chaffinch setup",
            logger: logger
        )
        if roles, url.hasPrefix("sqlite:") {
            throw CommandFailure(
                ExitCode.usage,
                "SQLite has no roles; the permissions of the file and its folder are all there is"
            )
        }
        let report = try await store.setUp()
        for change in report.applied { Terminal.output(change) }
        if report.applied.isEmpty { Terminal.output("the tables are up to date") }
        if roles { try await setUpRoles(store, DatabaseRoles(pipeline: pipeline.name)) }
        await store.close()
    }

    private static func setUpRoles(_ store: any Store, _ roles: DatabaseRoles) async throws {
        for change in try await store.setUpRoles() { Terminal.output(change) }
        Terminal.output(
            """
            the roles have their rights; give each you use a password (in psql: \\password "\(roles.writer)"), then:
              store.setup_url  \(roles.owner)  makes and widens tables
              store.url        \(roles.writer)  messages, records and dead letters
              store.fetch_url  \(roles.fetcher)  cursors
              for people       \(roles.reader)  reads everything
            """
        )
    }

    private static func setUpQueues(_ pipeline: Pipeline, _ secrets: [String: String], _ logger: Logger) async throws {
        guard !pipeline.broker.isManaged, let url = secrets[pipeline.broker.url.variable] else {
            Terminal.output("the broker is managed; the supervisor sets its queues up")
            return
        }
        let topology = Topology(pipeline)
        let address = try BrokerAddress(url)
        try await TopologySetup.declare(topology, at: address, logger: logger)
        Terminal.output("the queues under '\(pipeline.broker.prefix)' are declared and answer")
    }
}
