import Foundation
import Model
import TestSupport
import Testing

/// The files are edited while the real binary runs on them.
@Suite(.serialized, .needsServers) struct ReloadTests {
    private static let deploy = """
          deploy:
            fields:
              service: { type: text, required: true }
              version: { type: text, required: true }
        """

    private static let deployRule = #"""
        parser: deploys
        record: deploy
        channels: [deploys]
        fields:
          service: { match: 'deployed (?<value>[\w-]+)' }
          version: { match: '\bv(?<value>[\d.]+)\b' }
        examples:
          - { text: "deployed web-shop v1.2.3", expect: [{ service: web-shop, version: "1.2.3" }] }
        """#

    /// A desk that reads channel 9001 and knows signals.
    private func desk() async throws -> (desk: Desk, discord: SimulatedDiscord) {
        let desk = try await Desk(database: .postgres)
        let discord = try await SimulatedDiscord(recordings: [], logs: desk.folder.url)
        for channel in ["9001", "9002"] { try await post("hello", channel, discord) }
        try write(desk, discord, channels: ["signals": "9001"], records: TradingDesk.records)
        try desk.copyRules(TradingDesk.rules)
        return (desk, discord)
    }

    private func write(
        _ desk: Desk,
        _ discord: SimulatedDiscord,
        channels: [String: String],
        records: String
    ) throws {
        let list = channels.sorted { $0.key < $1.key }
            .map { "  - { name: \($0.key), id: \"\($0.value)\", since: 2024-01-01 }\n" }.joined()
        try desk.write(pipeline: "channels:\n\(list)\(records)", api: discord.api)
    }

    private func post(_ text: String, _ channel: String, _ discord: SimulatedDiscord) async throws {
        try await discord.order("messages", #"{"channel_id":"\#(channel)","content":"\#(text)"}"#)
    }

    private func pids(_ desk: Desk) async throws -> [String: Int64] {
        let workers = try await desk.status()?.root["workers"]?.elements.map { $0 } ?? []
        return workers.reduce(into: [:]) { pids, worker in
            guard let name = worker["name"]?.string, name != "setup" else { return }
            pids["\(name)/\(worker["replica"]?.integer ?? 0)"] = worker["pid"]?.integer
        }
    }

    private func generation(_ desk: Desk) async throws -> Int64? {
        try await desk.status()?.root["generation"]?.integer
    }

    @Test func aChannelARecordTypeAndItsRuleAreAddedWhileMessagesFlow() async throws {
        let (desk, discord) = try await desk()
        try desk.start()
        try await desk.untilReady()
        try await desk.untilMessages(1)
        let before = try await pids(desk)
        #expect(before.count == 4)

        // The rule file is broken at first.
        try desk.folder.write(
            Self.deployRule.replacing("'deployed (", with: "'deployed (("),
            to: "parsers/deploys.yaml"
        )
        try write(
            desk,
            discord,
            channels: ["signals": "9001", "deploys": "9002"],
            records: TradingDesk.records + "\n" + Self.deploy
        )
        let refused = try await desk.run(["reload"])
        #expect(refused.exitCode == 1)
        #expect(refused.errors.contains("parsers/deploys.yaml:5:"))
        try await eventually("the table is there") {
            try await desk.count("select count(*) from information_schema.tables where table_name = 'deploy'") > 0
        }
        try await eventually("the new channel is read") {
            try await desk.count("select count(*) from messages where channel_id = 9002") > 0
        }
        let degraded = try #require(await desk.status()).root
        #expect(degraded["state"]?.string == "degraded")
        #expect(degraded["degraded"]?.string?.contains("parsers/deploys.yaml") == true)

        // A worker that is killed meanwhile comes back with what was accepted.
        let accepted = try await generation(desk)
        kill(Int32(try #require(before["parse/1"])), SIGKILL)
        try await eventually("parse is back") {
            let parse = try await desk.status()?.root["workers"]?.elements.first { $0["name"]?.string == "parse" }
            return parse?["ready"]?.boolean == true && parse?["pid"]?.integer != before["parse/1"]
                && parse?["rules_generation"]?.integer == accepted
        }

        // Mended, with an editor's rename.
        try desk.folder.write(Self.deployRule, to: "parsers/.deploys.yaml.tmp")
        try FileManager.default.moveItem(
            at: desk.folder.url.appending(path: "parsers/.deploys.yaml.tmp"),
            to: desk.folder.url.appending(path: "parsers/deploys.new.yaml")
        )
        try FileManager.default.removeItem(at: desk.folder.url.appending(path: "parsers/deploys.yaml"))
        try await eventually("every worker works by the mended file") {
            guard let status = try await desk.status()?.root, status["state"]?.string == "ready" else { return false }
            let current = status["generation"]?.integer
            return status["workers"]?.elements.allSatisfy {
                $0["name"]?.string == "setup" || $0["rules_generation"]?.integer == current
            } == true
        }
        try await post("deployed api v2.0", "9002", discord)
        try await eventually("its row is there") {
            try await desk.rows("select service, version from deploy") == [["api", "2.0"]]
        }
        try await post("$BTC long\\nEntry: 68000\\nSL: 67000\\nTP: 70500", "9001", discord)
        try await eventually("the other channel goes on") {
            try await desk.count("select count(*) from trading_signal") == 1
        }
        var after = try await pids(desk)
        after["parse/1"] = before["parse/1"]
        #expect(after == before)
        #expect(try await desk.run(["reload"]).exitCode == 0)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    @Test func aHundredEditsInASecondAreOneReloadOfTheLast() async throws {
        let (desk, discord) = try await desk()
        try desk.start()
        try await desk.untilReady()
        let before = (try await pids(desk), try #require(await generation(desk)))
        let rule = try String(contentsOf: TradingDesk.rules, encoding: .utf8)
        var widest = Duration.zero
        var last = ContinuousClock.now
        for edit in 1...100 {
            try desk.folder.write("\(rule)\n# edit \(edit)\n", to: "parsers/trading-signals.yaml")
            widest = max(widest, .now - last)
            last = .now
            try await Task.sleep(for: .milliseconds(9))
        }
        try await eventually("the last edit is live") {
            let number = try await generation(desk) ?? 0
            let file = desk.folder.url.appending(path: "data/generations/\(number)/parsers/trading-signals.yaml")
            return try String(contentsOf: file, encoding: .utf8).hasSuffix("# edit 100\n")
        }
        #expect(try await desk.run(["reload"]).exitCode == 0)
        let plans = try #require(desk.supervisor).errors.components(separatedBy: "reload: plan").count - 1
        #expect(try #require(await generation(desk)) == before.1 + Int64(plans))
        // Where the machine was too busy for a hundred edits without a pause, they were more than one burst.
        #expect(plans == 1 || widest > .milliseconds(80) && plans < 10, "widest gap \(widest)")
        #expect(try await pids(desk) == before.0)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    @Test func aRefusedMigrationAndABrokenPipelineChangeNothing() async throws {
        let (desk, discord) = try await desk()
        let records = TradingDesk.records + "\n" + Self.deploy
        try write(desk, discord, channels: ["signals": "9001"], records: records)
        try desk.start()
        try await desk.untilReady()
        let before = (try await pids(desk), try await generation(desk))
        let other = records.replacing("version: { type: text,", with: "version: { type: integer,")
        try write(desk, discord, channels: ["signals": "9001"], records: other)
        let refused = try await desk.run(["reload"])
        #expect(refused.exitCode == 1)
        #expect(refused.errors.contains("setup/1"))
        #expect(try await pids(desk) == before.0)
        #expect(try await generation(desk) == before.1)

        try desk.folder.write("name: [", to: "pipeline.yaml")
        let broken = try await desk.run(["reload", "--data", desk.folder.url.path + "/data"])
        #expect(broken.exitCode == 1)
        #expect(broken.errors.contains("pipeline.yaml:2:1: "))
        #expect(try await pids(desk) == before.0)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    @Test func replicasAreScaledAndAChannelIsTakenOutWithoutDisturbingOthers() async throws {
        let (desk, discord) = try await desk()
        let channels = "channels:\n  - { name: signals, id: \"9001\", since: 2024-01-01 }\n"
        try desk.write(
            pipeline: channels + "  - { name: deploys, id: \"9002\", since: 2024-01-01 }\n\(TradingDesk.records)",
            api: discord.api,
            extra: "workers: { parse: { env: { OWN: its-own } } }"
        )
        try desk.start()
        try await desk.untilReady()
        try await desk.untilMessages(2)
        let before = try await pids(desk)
        try desk.write(
            pipeline: "\(channels)\(TradingDesk.records)",
            api: discord.api,
            extra: "workers: { parse: { replicas: 2, backoff: { max: 20s }, env: { OWN: its-own } } }"
        )
        let reload = try await desk.run(["reload"])
        #expect(reload.exitCode == 0)
        #expect(reload.output.contains("add parse/2"))
        var after = try await pids(desk)
        #expect(after.removeValue(forKey: "parse/2") != nil)
        #expect(after == before)
        for (name, pid) in after {
            let environment = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ"))
            #expect((environment.range(of: Data("OWN=its-own".utf8)) != nil) == (name == "parse/1"), "\(name)")
        }
        try await eventually("the lease of the channel that is out is given back") {
            try await desk.count("select count(*) from fetch_cursors where channel_id = 9002 and holder is null") == 1
        }
        try await post("still here", "9001", discord)
        try await desk.untilMessages(3)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }
}
