import Foundation
import Model
import TestSupport
import Testing

/// Trouble that does not go away by itself: said plainly, kept to what it concerns, and never in the way of a stop.
@Suite(.serialized, .needsServers) struct TroubleTests {
    /// A desk with one small channel, `9001`, of three messages.
    private func smallDesk(
        channels: [String] = ["9001"],
        options: [String] = ["--limit", "none"]
    ) async throws -> (desk: Desk, discord: SimulatedDiscord) {
        let desk = try await Desk(database: .postgres)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        let messages = (1...3).map { number in
            let id = Snowflake(justBefore: Timestamp(iso8601: "2024-12-0\(number)")!).rawValue + 1
            let content = number == 2 ? #"half a pair \ud800 here"# : "message \(number)"
            return #"{"id":"\#(id)","channel_id":"9001","author":{"id":"7","username":"ann"},"content":"\#(content)","#
                + #""type":0,"timestamp":"2024-12-0\#(number)T00:00:00.000000+00:00","edited_timestamp":null,"#
                + #""pinned":false,"mention_everyone":false,"embeds":[],"attachments":[]}"#
        }
        try messages.joined(separator: "\n").write(to: recording, atomically: true, encoding: .utf8)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url, options: options)
        try desk.write(pipeline: TradingDesk.channels(channels) + TradingDesk.records, api: discord.api)
        try desk.copyRules(TradingDesk.rules)
        return (desk, discord)
    }

    @Test func aRefusedTokenEndsFetchForGood() async throws {
        let (desk, discord) = try await smallDesk()
        desk.environment["DISCORD_TOKEN"] = "not-the-token"
        try desk.start()
        try await eventually("fetch has failed") {
            guard let workers = try await desk.status()?.root["workers"] else { return false }
            guard let fetch = workers.elements.first(where: { $0["name"]?.string == "fetch" }) else { return false }
            return fetch["state"]?.string == "failed" && fetch["last_exit"]?["code"]?.integer == 78
        }
        let log = try #require(desk.supervisor).errors
        #expect(log.contains("401"))
        #expect(!log.contains("not-the-token"))
        #expect(try await desk.run(["status"]).exitCode == 1)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    @Test func aBadChannelIsShownAndLeavesTheOthersAlone() async throws {
        let (desk, discord) = try await smallDesk(channels: ["404404", "9001"])
        try desk.start()
        try await desk.untilMessages(3)
        // Half a surrogate pair is replaced in the column; the payload keeps what Discord sent.
        #expect(
            try await desk.rows(
                "select content, payload::text like '%\\ud800%' from messages where content like 'half%'"
            )
                == [["half a pair \u{FFFD} here", "t"]]
        )
        try await eventually("the status names the bad channel") {
            try await desk.run(["status"]).output.contains("1 channel cannot be read")
        }
        #expect(try #require(desk.supervisor).errors.contains("10003"))
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    @Test(arguments: ["500", "hang", "429"])
    func aStopDoesNotWaitForDiscord(_ fault: String) async throws {
        let (desk, discord) = try await smallDesk()
        try desk.start()
        try await desk.untilMessages(3)
        try await discord.order("faults", #"{"mode":"\#(fault)"}"#)
        let before = try await discord.requests()
        try await eventually("a request met the fault") { try await discord.requests() > before }
        #expect(await desk.stop() == 0)
        // Its leases are given back, so that the next one need not wait.
        #expect(try await desk.count("select count(*) from fetch_cursors where holder is not null") == 0)
        await discord.stop()
    }

    @Test func aSecondSupervisorIsRefusedAndChangesNothing() async throws {
        let (desk, discord) = try await smallDesk()
        try desk.start()
        try await desk.untilReady()
        let generations = desk.folder.url.appending(path: "data/generations").path
        let before = try FileManager.default.contentsOfDirectory(atPath: generations)
        let pipeline = desk.folder.url.appending(path: "pipeline.yaml")
        let changed = try String(contentsOf: pipeline, encoding: .utf8).replacing("poll: 1s", with: "poll: 2s")
        // Under another name: the first would take a change of its own file over.
        try desk.folder.write(changed, to: "other.yaml")
        let second = try await desk.run(["supervisor", "--config", "other.yaml"])
        #expect(second.exitCode == 69)
        #expect(
            second.errors.contains("another supervisor (pid \(desk.supervisor?.pid ?? 0)) runs on this data folder")
        )
        #expect(try FileManager.default.contentsOfDirectory(atPath: generations) == before)
        #expect(try await desk.run(["status"]).exitCode == 0)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    @Test func aSetupThatCannotBeDoneEndsTheSupervisor() async throws {
        let (desk, discord) = try await smallDesk()
        desk.environment["RABBITMQ_URL"] = desk.brokerURL.replacing(/:[^:@\/]+@/, with: ":wrong@")
        try desk.start()
        let supervisor = try #require(desk.supervisor)
        #expect(await supervisor.exitCode() == 78)
        #expect(supervisor.errors.contains("refused"))
        await discord.stop()
    }

    @Test func commandsAreSupervisedWithoutAPipelineAndSeeNoSecret() async throws {
        let folder = try TemporaryFolder()
        try folder.write(
            """
            name: plain
            store: { url: "postgres://u:${PART}@127.0.0.1/x" }
            workers:
              shows: { command: [sh, -c, "env; exec sleep 1000"] }
            """,
            to: "pipeline.yaml"
        )
        let supervisor = try RunningProgram(
            Project.binary("chaffinch"),
            ["supervisor"],
            environment: ["PART": "part-of-a-secret", "OTHER": "seen"],
            in: folder.url,
            logs: folder.url,
            name: "supervisor"
        )
        try await eventually("the command shows its environment") { supervisor.errors.contains("OTHER=seen") }
        #expect(!supervisor.errors.contains("part-of-a-secret"))
        #expect(await supervisor.stop() == 0)
    }
}
