import Foundation
import Logging
import Model
import Storage
import TestSupport

/// One pipeline of a case: its folder, its Discord, its tree, and what it ought to have in its tables.
final class Rig {
    let servers: Servers
    let folder: TemporaryFolder
    let name: String
    let discord: SimulatedDiscord
    let channels: [String]
    private(set) var supervisor: RunningProgram?
    /// Messages posted while it ran, by whether they are signals.
    private(set) var postedSignals = 0
    private(set) var posted = 0
    var environment: [String: String] = [:]
    private var starts = 0

    /// - Parameter extra: further sections of `pipeline.yaml`.
    init(_ servers: Servers, recording: URL, channels: [String], extra: String = "") async throws {
        self.servers = servers
        self.channels = channels
        folder = try TemporaryFolder()
        name = "c\(UInt32.random(in: 0...UInt32.max))"
        _ = try await RunningProgram.run(
            "/usr/bin/psql",
            ["-q", servers.directDatabaseURL, "-c", "create schema \(name)"]
        )
        discord = try await SimulatedDiscord(recordings: [recording], logs: folder.url)
        environment = [
            "RABBITMQ_URL": servers.brokerURL,
            "DATABASE_URL": DatabaseServers.url(servers.databaseURL, schema: name),
            "DISCORD_TOKEN": SimulatedDiscord.token,
        ]
        try writePipeline(to: folder, extra: extra)
    }

    func writePipeline(to folder: TemporaryFolder, extra: String = "") throws {
        let list = channels.enumerated().map { "  - { name: c\($0 + 1), id: \"\($1)\", since: 2020-01-01 }\n" }.joined()
        try folder.write(
            """
            name: \(name)
            broker: { url: "${RABBITMQ_URL}", prefix: \(name) }
            store: { url: "${DATABASE_URL}" }
            discord: { token: "${DISCORD_TOKEN}", api: "\(discord.api)", live: false, poll: 1s }
            parsers: parsers/
            channels:
            \(list)
            records:
              trading_signal:
                fields:
                  ticker: { type: text, required: true }
                  side: { type: enum, values: [long, short], required: true }
                  status: { type: enum, values: [opened, closed], default: opened }
                  entry_type: { type: enum, values: [market, limit], default: market }
                  entry_price: { type: decimal }
                  entry_high: { type: decimal }
                  leverage: { type: decimal }
                  risk: { type: decimal }
                lists:
                  trading_stops:
                    type: { type: enum, values: [stop_loss, take_profit], required: true }
                    price: { type: decimal, required: true }
            \(extra)
            """,
            to: "pipeline.yaml"
        )
        let rules = Project.root.appending(path: "parsers/signals/trading-signals.yaml")
        try folder.write(try String(contentsOf: rules, encoding: .utf8), to: "parsers/trading-signals.yaml")
    }

    // MARK: The tree

    func start(preloading library: String? = nil) throws {
        var environment = environment
        if let library { environment["LD_PRELOAD"] = library }
        starts += 1
        supervisor = try launch(in: folder, environment, "supervisor-\(starts)")
    }

    func launch(in folder: TemporaryFolder, _ environment: [String: String], _ log: String) throws -> RunningProgram {
        try RunningProgram(
            Project.binary("chaffinch"),
            ["supervisor"],
            environment: environment,
            in: folder.url,
            logs: self.folder.url,
            name: log
        )
    }

    func stop() async throws {
        guard let supervisor else { return }
        let code = await supervisor.stop()
        guard code == 0 || code == 75 else {
            throw TimedOut(what: "the supervisor's clean end; it exited with \(code)")
        }
    }

    /// Stops everything and gives the tables' room back.
    func end() async {
        supervisor?.send(SIGTERM)
        await supervisor?.exitCode()
        await discord.stop()
        _ = try? await RunningProgram.run(
            "/usr/bin/psql",
            ["-q", servers.directDatabaseURL, "-c", "set client_min_messages = error; drop schema \(name) cascade"]
        )
    }

    /// What the supervisors printed, for a case that went wrong.
    var log: String {
        (1...max(1, starts)).compactMap {
            try? String(contentsOf: folder.url.appending(path: "supervisor-\($0).err"), encoding: .utf8)
        }.joined()
    }

    func workers() async throws -> [(name: String, pid: Int32?, isOpen: Bool, services: [String: String])] {
        let result = try await RunningProgram.run(
            Project.binary("chaffinch"),
            ["status", "--json"],
            environment: environment,
            in: folder.url
        )
        guard result.exitCode != 69, let json = try? JSONDocument(result.output) else { return [] }
        return json.root["workers"]?.elements.map { worker in
            let services = worker["services"]?.members.map { ($0.key, $0.value.string ?? "") } ?? []
            return (
                worker["name"]?.string ?? "", worker["pid"]?.integer.flatMap { Int32(exactly: $0) },
                worker["breaker"]?["state"]?.string == "open", Dictionary(uniqueKeysWithValues: services)
            )
        } ?? []
    }

    func pid(of worker: String) async throws -> Int32? {
        try await workers().first { $0.name == worker }?.pid
    }

    /// The pid of a worker that runs, awaited.
    func running(_ worker: String, otherThan old: Int32? = nil) async throws -> Int32 {
        var found: Int32?
        try await eventually("\(worker) runs") {
            found = try await pid(of: worker)
            return found != nil && found != old
        }
        return found!
    }

    // MARK: Messages

    func post(_ content: String) async throws {
        let channel = channels[posted % channels.count]
        try await discord.order("messages", #"{"channel_id":"\#(channel)","content":"\#(content)"}"#)
        posted += 1
    }

    /// Posts for so long as `body` runs, so that there is always something under way.
    func feeding<Result>(_ body: () async throws -> Result) async throws -> Result {
        let feeder = Feeder(discord, channels)
        feeder.start()
        let result: Result
        do {
            result = try await body()
        } catch {
            _ = await feeder.stop()
            throw error
        }
        let posts = await feeder.stop()
        posted += posts
        postedSignals += (posts + 4) / 5
        return result
    }

    func sleep(seconds: Double) async throws { try await Task.sleep(for: .seconds(seconds)) }

    // MARK: The tables

    func withStore<Result>(_ body: (any Store) async throws -> Result) async throws -> Result {
        let store = try openStore(
            DatabaseServers.url(servers.directDatabaseURL, schema: name),
            schema: StoreSchema(pipeline: name, records: []),
            name: "chaos",
            logger: Logger(label: "chaos") { _ in SwiftLogNoOpLogHandler() }
        )
        do {
            let result = try await body(store)
            await store.close()
            return result
        } catch {
            await store.close()
            throw error
        }
    }

    func rows(_ sql: String) async throws -> [[String?]] { try await withStore { try await $0.rows(sql).rows } }
    func count(_ sql: String) async throws -> Int { Int(try await rows(sql).first?.first.flatMap { $0 } ?? "0") ?? 0 }
    func stored() async -> Int { (try? await count("select count(*) from messages")) ?? 0 }

    func untilStored(_ count: Int) async throws {
        try await eventually("\(count) messages are stored", within: .seconds(120)) { await stored() >= count }
    }
}
