import Foundation
import Logging
import Model
import Storage
import TestSupport

/// A user's folder with a pipeline in it, the simulated Discord it reads, and the real binary that runs it.
final class Desk {
    let folder: TemporaryFolder
    let name = "t\(UInt32.random(in: 0...UInt32.max))"
    let databaseURL: String
    let brokerURL: String
    var environment: [String: String] = [:]
    private(set) var supervisor: RunningProgram?
    private var starts = 0

    enum Database { case sqlite, postgres }

    /// - Parameters:
    ///   - broker: `managed`, or a URL; by default the test broker, under a prefix of this test's own.
    ///   - database: SQLite in the folder, or a schema of its own on the test server.
    init(broker: String? = nil, database: Database, databaseURL: String? = nil) async throws {
        folder = try TemporaryFolder()
        brokerURL = broker ?? Servers.rabbitmq ?? ""
        switch database {
        case .sqlite: self.databaseURL = "sqlite:\(folder.url.path)/rows.db"
        case .postgres:
            let server = databaseURL ?? Servers.postgres ?? ""
            self.databaseURL = DatabaseServers.url(server, schema: name)
            let made = try await RunningProgram.run("/usr/bin/psql", ["-q", server, "-c", "create schema \(name)"])
            guard made.exitCode == 0 else { throw TimedOut(what: "create schema: \(made.errors)") }
        }
        environment = [
            "RABBITMQ_URL": brokerURL, "DATABASE_URL": self.databaseURL, "DISCORD_TOKEN": SimulatedDiscord.token,
        ]
    }

    deinit {
        if let supervisor, supervisor.isRunning { supervisor.send(SIGKILL) }
    }

    /// Writes `pipeline.yaml` around its channels and records.
    func write(pipeline: String, api: String, poll: String = "1s", extra: String = "") throws {
        try folder.write(
            """
            name: \(name)
            broker: { url: "${RABBITMQ_URL}", prefix: \(name) }
            store: { url: "${DATABASE_URL}" }
            discord: { token: "${DISCORD_TOKEN}", api: "\(api)", live: false, poll: \(poll) }
            parsers: parsers/
            \(extra)
            \(pipeline)
            """,
            to: "pipeline.yaml"
        )
    }

    func copyRules(_ file: URL) throws {
        try folder.write(try String(contentsOf: file, encoding: .utf8), to: "parsers/\(file.lastPathComponent)")
    }

    // MARK: The binary

    func start(_ arguments: [String] = []) throws {
        starts += 1
        supervisor = try RunningProgram(
            Project.binary("chaffinch"),
            ["supervisor"] + arguments,
            environment: environment,
            in: folder.url,
            logs: folder.url,
            name: "supervisor-\(starts)"
        )
    }

    @discardableResult
    func stop() async -> Int32 { await supervisor?.stop() ?? -1 }

    func run(_ arguments: [String], input: String? = nil) async throws -> (
        exitCode: Int32, output: String, errors: String
    ) {
        try await RunningProgram.run(
            Project.binary("chaffinch"),
            arguments,
            environment: environment,
            input: input,
            in: folder.url
        )
    }

    /// The status as JSON; `nil` while no supervisor answers.
    func status() async throws -> JSONDocument? {
        let result = try await run(["status", "--json"])
        return result.exitCode == 69 ? nil : try JSONDocument(result.output)
    }

    func pid(of worker: String) async throws -> Int32? {
        guard let workers = try await status()?.root["workers"] else { return nil }
        let found = workers.elements.first { $0["name"]?.string == worker }
        return found?["pid"]?.integer.flatMap { Int32(exactly: $0) }
    }

    func untilReady(within limit: Duration = .seconds(90)) async throws {
        try await eventually("every worker is ready", within: limit) {
            guard let supervisor, supervisor.isRunning else {
                throw TimedOut(what: "the supervisor ended: \(supervisor?.errors.suffix(4000) ?? "")")
            }
            return try await run(["status"]).exitCode == 0
        }
    }

    // MARK: The rows

    func rows(_ sql: String) async throws -> [[String?]] {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try openStore(
            databaseURL,
            schema: StoreSchema(pipeline: name, records: []),
            name: "test",
            logger: logger
        )
        do {
            let result = try await store.rows(sql).rows
            await store.close()
            return result
        } catch {
            await store.close()
            throw error
        }
    }

    func count(_ sql: String) async throws -> Int {
        Int(try await rows(sql).first?.first.flatMap { $0 } ?? "0") ?? 0
    }

    /// Rows of `messages`; 0 before there is such a table.
    func messageCount() async -> Int { (try? await count("select count(*) from messages")) ?? 0 }

    func untilMessages(_ expected: Int, within limit: Duration = .seconds(120)) async throws {
        try await eventually("\(expected) messages are stored", within: limit) {
            guard supervisor?.isRunning ?? false else {
                throw TimedOut(what: "the supervisor ended: \(supervisor?.errors.suffix(4000) ?? "")")
            }
            return await messageCount() >= expected
        }
    }
}
