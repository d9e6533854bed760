import Foundation
import Model
import TestSupport

/// One pipeline of a case: its folder, its Discord, its tree, and what it ought to have in its tables.
final class Rig {
    /// What the pipeline is made of.
    struct Setting: Sendable {
        /// Further sections of `pipeline.yaml`.
        var extra = ""
        /// The supervisor's own RabbitMQ instead of the one that all cases share.
        var hasManagedBroker = false
        /// A file in the data folder instead of Postgres.
        var hasSQLite = false
        /// A plugin and the last resort are asked about what no rule reads; neither makes a record.
        var asksOthers = false

        /// For kills that go on for minutes. By default the supervisor lets a worker that is killed so often rest longer and
        /// longer: soon there would be nobody to kill, and nothing under way.
        static let restartingAtOnce = Setting(
            extra: "workers:\n"
                + ["fetch", "parse", "store", "deadletter"]
                .map { "  \($0): { breaker: off, backoff: { initial: 100ms, max: 1s } }\n" }.joined()
        )
    }

    let servers: Servers
    let folder: TemporaryFolder
    let name: String
    let setting: Setting
    let discord: SimulatedDiscord
    /// Between fetch and Discord.
    let discordProxy: FaultProxy
    /// Asked about messages with the word `oracle`, where the setting has it so.
    let openai: SimulatedOpenAI?
    /// Between the last resort and its server.
    let openaiProxy: FaultProxy?
    let channels: [String]
    private(set) var supervisor: RunningProgram?
    /// What was posted while it ran and by kind, where what becomes of it is known.
    private(set) var posted: Feeder.Posts = [:]
    private var postings = 0
    var environment: [String: String] = [:]
    private var starts = 0
    private var mounts: [String] = []

    init(_ servers: Servers, recording: URL, channels: [String], _ setting: Setting = Setting()) async throws {
        self.servers = servers
        self.channels = channels
        self.setting = setting
        folder = try TemporaryFolder()
        name = "c\(UInt32.random(in: 0...UInt32.max))"
        _ = try await RunningProgram.run(
            "/usr/bin/psql",
            ["-q", servers.directDatabaseURL, "-c", "create schema \(name)"]
        )
        discord = try await SimulatedDiscord(recordings: [recording], logs: folder.url)
        discordProxy = try FaultProxy(to: Self.port(of: discord.api))
        openai = setting.asksOthers ? try await SimulatedOpenAI(logs: folder.url) : nil
        openaiProxy = try openai.map { try FaultProxy(to: Self.port(of: $0.baseURL)) }
        environment = ["DISCORD_TOKEN": SimulatedDiscord.token, "OPENAI_API_KEY": SimulatedOpenAI.key]
        if !setting.hasManagedBroker { environment["RABBITMQ_URL"] = servers.brokerURL }
        if !setting.hasSQLite { environment["DATABASE_URL"] = DatabaseServers.url(servers.databaseURL, schema: name) }
        try writePipeline(to: folder)
    }

    private static func port(of url: String) throws -> UInt16 {
        guard let port = URL(string: url)?.port.flatMap({ UInt16(exactly: $0) }) else {
            throw TimedOut(what: "a simulator's port")
        }
        return port
    }

    /// Every proxy that this pipeline goes through.
    var proxies: [FaultProxy] {
        [servers.broker, servers.database, discordProxy] + (openaiProxy.map { [$0] } ?? [])
    }

    /// Past the proxy, for looking at the rows.
    var tablesURL: String {
        setting.hasSQLite
            ? "sqlite:\(folder.url.appending(path: "data/rows.db").path)"
            : DatabaseServers.url(servers.directDatabaseURL, schema: name)
    }

    func writePipeline(to folder: TemporaryFolder) throws {
        let list = channels.enumerated().map { "  - { name: c\($0 + 1), id: \"\($1)\", since: 2020-01-01 }\n" }.joined()
        let api = discord.api.replacing(/:\d+/, with: ":\(discordProxy.port)")
        let broker = setting.hasManagedBroker ? "managed" : "${RABBITMQ_URL}"
        try folder.write(
            """
            name: \(name)
            broker: { url: "\(broker)", prefix: \(name) }
            store: { url: "\(setting.hasSQLite ? "sqlite:data/rows.db" : "${DATABASE_URL}")" }
            discord: { token: "${DISCORD_TOKEN}", api: "\(api)", live: false, poll: 1s }
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
            \(setting.extra)
            \(try writeOthers(to: folder))
            """,
            to: "pipeline.yaml"
        )
        let rules = Project.root.appending(path: "parsers/signals/trading-signals.yaml")
        try folder.write(try String(contentsOf: rules, encoding: .utf8), to: "parsers/trading-signals.yaml")
    }

    /// A plugin that has nothing to say, and a rule file of the last resort.
    ///
    /// - Returns: what `pipeline.yaml` needs for them.
    private func writeOthers(to folder: TemporaryFolder) throws -> String {
        guard let openai, let openaiProxy else { return "" }
        try folder.write(#"while read -r line; do echo '{"skip": "not mine"}'; done"#, to: "asker.sh")
        try folder.write(
            """
            parser: last
            record: trading_signal
            engine: openai
            status: live
            gate: [oracle]
            fields:
              side: { map: { BUY: long, SELL: short } }
              status: { value: opened }
              entry_type: { value: market }
            lists:
              trading_stops:
                type: { map: { SL: stop_loss, TP: take_profit } }
            """,
            to: "parsers/last.yaml"
        )
        let url = openai.baseURL.replacing(/:\d+/, with: ":\(openaiProxy.port)")
        return """
            workers: { asker: { command: [sh, asker.sh], consumes: unmatched } }
            openai: { api_key: "${OPENAI_API_KEY}", base_url: "\(url)" }
            """
    }

    // MARK: The tree

    /// - Parameter only: the workers of this tree, separated by commas; `nil`: all.
    func start(with variables: [String: String] = [:], only: String? = nil) throws {
        starts += 1
        let environment = environment.merging(variables) { _, new in new }
        supervisor = try launch(in: folder, environment, "supervisor-\(starts)", only: only)
    }

    func launch(
        in folder: TemporaryFolder,
        _ environment: [String: String],
        _ log: String,
        only: String? = nil
    ) throws -> RunningProgram {
        try RunningProgram(
            Project.binary("chaffinch"),
            ["supervisor"] + (only.map { ["--only", $0] } ?? []),
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

    func heal() {
        servers.heal()
        for proxy in proxies { proxy.set(.none) }
    }

    /// Stops everything and gives the tables' room back.
    func end() async {
        supervisor?.send(SIGTERM)
        await supervisor?.exitCode()
        await discord.stop()
        await openai?.stop()
        discordProxy.stop()
        openaiProxy?.stop()
        MovedClocks.sweep()
        for path in mounts { _ = try? await RunningProgram.run("/bin/umount", ["--lazy", path]) }
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
        let result = try await command(["status", "--json"])
        guard result.exitCode != 69, let json = try? JSONDocument(result.output) else { return [] }
        return json.root["workers"]?.elements.map { worker in
            let services = worker["services"]?.members.map { ($0.key, $0.value.string ?? "") } ?? []
            return (
                worker["name"]?.string ?? "", worker["pid"]?.integer.flatMap { Int32(exactly: $0) },
                worker["breaker"]?["state"]?.string == "open", Dictionary(uniqueKeysWithValues: services)
            )
        } ?? []
    }

    /// Runs the program beside the tree.
    func command(_ arguments: [String]) async throws -> (exitCode: Int32, output: String, errors: String) {
        try await RunningProgram.run(Project.binary("chaffinch"), arguments, environment: environment, in: folder.url)
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

    /// Messages that wait in any queue of the pipeline.
    func queued() async throws -> Int {
        try await servers.queued(
            prefix: name,
            managedIn: setting.hasManagedBroker ? folder.url.appending(path: "data/broker").path : nil
        )
    }

    /// Makes the data folder a small disk of its own, before the start.
    func mountData(megabytes: Int) async throws {
        let path = folder.url.appending(path: "data").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let result = try await RunningProgram.run(
            "/bin/mount",
            ["-t", "tmpfs", "-o", "size=\(megabytes)m,mode=700", "chaos", path]
        )
        guard result.exitCode == 0 else { throw Skipped("may not mount a small disk here") }
        mounts.append(path)
    }

    // MARK: Messages

    /// Posts something of which only the fate as a message is followed, not what it makes.
    func post(_ content: String) async throws {
        let channel = channels[postings % channels.count]
        try await discord.order("messages", #"{"channel_id":"\#(channel)","content":"\#(content)"}"#)
        postings += 1
    }

    /// Posts what the last resort is asked about; never the same, since answers are kept.
    func ask() async throws { try await post("oracle, what is \(postings)?") }

    func post(_ kind: Feeder.Kind) async throws {
        let message = #"{"channel_id":"\#(channels[0])","content":"\#(kind.content)"}"#
        let answer = try await discord.order("messages", message)
        guard let id = answer.root["id"]?.string.flatMap({ UInt64($0) }) else { throw TimedOut(what: "a post") }
        posted[id] = kind
    }

    /// Posts for so long as `body` runs, so that there is always something under way.
    ///
    /// - Parameter rate: messages a second.
    func feeding<Result>(rate: Double = 25, _ body: (Feeder) async throws -> Result) async throws -> Result {
        let feeder = Feeder(discord, channels, rate: rate)
        feeder.start()
        let result: Result
        do {
            result = try await body(feeder)
        } catch {
            _ = await feeder.stop()
            throw error
        }
        posted.merge(await feeder.stop()) { old, _ in old }
        return result
    }

    func feeding<Result>(_ body: () async throws -> Result) async throws -> Result {
        try await feeding { _ in try await body() }
    }

    func sleep(seconds: Double) async throws { try await Task.sleep(for: .seconds(seconds)) }
}
