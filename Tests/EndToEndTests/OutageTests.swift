import Foundation
import Model
import TestSupport
import Testing

/// Servers that go away while messages flow: the tree recovers by itself and the counts add up.
@Suite(.serialized, .needsServers) struct OutageTests {
    /// Private servers of this suite's own, which it may stop: those of the other tests must stay up.
    private final class PrivateServers {
        let folder: TemporaryFolder
        let brokerURL: String
        let databaseURL: String

        init() async throws {
            folder = try TemporaryFolder()
            // The server's own user must be able to reach its folder.
            try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: folder.url.path)
            let result = try await Self.shell(
                folder,
                "rabbitmq_start $DIR/mq && postgres_start $DIR/pg && echo $RABBITMQ_URL && echo $DATABASE_URL"
            )
            guard result.exitCode == 0 else { throw TimedOut(what: "private servers: \(result.errors)") }
            let lines = result.output.split(separator: "\n").map(String.init)
            brokerURL = lines[lines.count - 2]
            databaseURL = lines[lines.count - 1]
        }

        func run(_ commands: String) async throws {
            let result = try await Self.shell(folder, commands)
            guard result.exitCode == 0 else { throw TimedOut(what: "\(commands): \(result.errors)") }
        }

        func stop() async throws {
            _ = try await Self.shell(folder, "rabbitmq_stop $DIR/mq; postgres_stop $DIR/pg")
        }

        private static func shell(
            _ folder: TemporaryFolder,
            _ commands: String
        ) async throws -> (exitCode: Int32, output: String, errors: String) {
            try await RunningProgram.run(
                "/bin/bash",
                ["-c", ". scripts/lib/rabbitmq.sh; . scripts/lib/postgres.sh; \(commands)"],
                environment: ["DIR": folder.url.path],
                in: Project.root
            )
        }
    }

    @Test func theTreeOutlivesItsServers() async throws {
        let servers = try await PrivateServers()
        do {
            try await exercise(servers)
        } catch {
            try await servers.stop()
            throw error
        }
        try await servers.stop()
    }

    private func exercise(_ servers: PrivateServers) async throws {
        let desk = try await Desk(broker: servers.brokerURL, database: .postgres, databaseURL: servers.databaseURL)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        try await SimulatedDiscord.record(["demo"], to: recording)
        let channels = try TradingDesk.channelIDs(in: recording)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        try desk.write(pipeline: TradingDesk.channels(channels) + TradingDesk.records, api: discord.api)
        try desk.copyRules(TradingDesk.rules)
        try desk.start()
        try await desk.untilMessages(Int(try await discord.counts().ingestible))

        // The broker keeps its port: the same node is stopped and started again.
        try await expectRecovery("Postgres", desk, discord, channels[0]) {
            try await servers.run("postgres_stop $DIR/pg")
        } mending: {
            try await servers.run("postgres_start $DIR/pg")
        }
        try await expectRecovery("RabbitMQ", desk, discord, channels[1]) {
            try await servers.run("rabbitmq_ctl $DIR/mq stop_app")
        } mending: {
            try await servers.run("rabbitmq_ctl $DIR/mq start_app")
        }
        for mode in ["500", "429", "html", "cut"] {
            let before = try await discord.requests()
            try await expectRecovery(mode, desk, discord, channels[2]) {
                try await discord.order("faults", #"{"mode":"\#(mode)","seconds":60}"#)
            } mending: {
                // The fault must have met somebody.
                try await eventually("a request met \(mode)") { try await discord.requests() > before }
                try await discord.order("faults", #"{"mode":"none"}"#)
            }
        }
        let expected = Int(try await discord.counts().ingestible)
        #expect(try await desk.count("select count(distinct id) from messages") == expected)
        #expect(try await desk.count("select count(*) from dead_letters") == 0)
        try await desk.untilReady()
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    /// Takes something away, posts messages meanwhile, gives it back, and waits until they are rows.
    private func expectRecovery(
        _ what: String,
        _ desk: Desk,
        _ discord: SimulatedDiscord,
        _ channel: String,
        taking: () async throws -> Void,
        mending: () async throws -> Void
    ) async throws {
        try await taking()
        for number in 1...5 {
            try await discord.order("messages", #"{"channel_id":"\#(channel)","content":"\#(what) \#(number)"}"#)
        }
        try await mending()
        try await eventually("what came during \(what) is stored", within: .seconds(120)) {
            guard desk.supervisor?.isRunning ?? false else {
                throw TimedOut(what: "the supervisor ended during \(what)")
            }
            return (try? await desk.count("select count(*) from messages where content like '\(what) %'")) == 5
        }
    }
}
