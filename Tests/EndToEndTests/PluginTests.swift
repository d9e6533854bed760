import Foundation
import Model
import TestSupport
import Testing

/// Plugins that consume, with the real binary: what no rule takes goes to programs in other languages.
@Suite(.serialized, .needsServers) struct PluginTests {
    /// Does as each message tells it.
    private static let obedient = """
        import json, os, sys, time

        for line in sys.stdin:
            message = json.loads(line)
            order, known = message["content"], message["chaffinch"]
            if order == "crash":
                os._exit(3)
            if order == "crash once" and not os.path.exists("crashed"):
                open("crashed", "w").close()
                os.kill(os.getpid(), 9)
            if order == "hang once" and not os.path.exists("hung"):
                open("hung", "w").close()
                time.sleep(1000)
            answer = {"records": [{"record": "note", "fields": {"text": order, "said": known["text"]}}]}
            if order == "later" and known["attempt"] == 1:
                answer = {"retry": "not now"}
            elif order in ("dead", "skip"):
                answer = {order: "as told"}
            elif order == "wrong":
                answer["records"][0]["fields"]["size"] = "large"
            elif order == "check":
                answer["records"][0]["fields"]["size"] = -1
            elif order == "environment":
                answer = {"skip": " ".join(sorted(os.environ)) + " " + os.environ["OWN"]}
            print("garbage" if order == "garbage" else json.dumps(answer), flush=True)
            print("answered", order, file=sys.stderr)
        """

    private static let records = """
        records:
          note:
            fields:
              text: { type: text, required: true }
              said: { type: text }
              size: { type: integer }
            check:
              - size > 0
        """

    private func desk(
        _ contents: [String],
        workers: String,
        records: String = records
    ) async throws -> (desk: Desk, discord: SimulatedDiscord) {
        let desk = try await Desk(database: .postgres)
        let recording = desk.folder.url.appending(path: "recording.jsonl")
        let start = Timestamp(iso8601: "2024-12-01T00:00:00Z")!
        let messages = contents.enumerated().map { number, content in
            let sent = Timestamp(microseconds: start.microseconds + Int64(number) * 1_000_000)
            var writer = JSONWriter()
            writer.value(content)
            return #"{"id":"\#(Snowflake(justBefore: sent).rawValue + 1)","channel_id":"9001","type":0,"#
                + #""author":{"id":"7","username":"ann"},"content":\#(writer.text),"timestamp":"\#(sent.iso8601)","#
                + #""edited_timestamp":null,"pinned":false,"mention_everyone":false,"embeds":[],"attachments":[]}"#
        }
        try messages.joined(separator: "\n").write(to: recording, atomically: true, encoding: .utf8)
        let discord = try await SimulatedDiscord(recordings: [recording], logs: desk.folder.url)
        try desk.folder.write(Self.obedient, to: "obedient.py")
        let rule = """
            parser: rules-note
            record: note
            fields:
              text: { match: 'rule (?<value>\\w+)' }
              size: { match: 'size (?<value>\\S+)' }
            examples:
              - { text: rule x, expect: [{ text: x }] }
            """
        if records == Self.records { try desk.folder.write(rule, to: "parsers/note.yaml") }
        try desk.folder.write("", to: "parsers/.keep")
        try desk.write(pipeline: TradingDesk.channels(["9001"]) + records, api: discord.api, extra: workers)
        return (desk, discord)
    }

    private func books(of desk: Desk) async throws -> [String] {
        try await desk.rows("select content, outcome, coalesce(reason, '') from messages order by content")
            .map { $0.map { $0 ?? "" }.joined(separator: " | ") }
    }

    @Test func everyAnswerHasItsPlaceAndTheBooksBalance() async throws {
        let orders = [
            "rule one", "rule two size 0", "take this", "skip", "check", "environment", "dead", "wrong", "garbage",
            "crash", "crash once", "hang once", "later", "take that",
        ]
        let (desk, discord) = try await desk(
            orders,
            workers: """
                workers:
                  obedient:
                    command: [python3, obedient.py]
                    consumes: unmatched
                    env: { OWN: "${OWN_KEY}" }
                    heartbeat: { every: 1s, missed: 6 }
                """
        )
        desk.environment["OWN_KEY"] = "a-key-of-its-own"
        try desk.start()
        let dead = ["crash", "dead", "garbage", "wrong"]
        try await desk.untilMessages(orders.count - dead.count)
        try await eventually("the dead letters are in their table") {
            try await desk.count("select count(*) from dead_letters") >= dead.count
        }
        let books = try await books(of: desk)
        #expect(
            books.filter { !$0.hasPrefix("environment") } == [
                "check | skipped | obedient: check failed: size > 0", "crash once | parsed | ", "hang once | parsed | ",
                "later | parsed | ", "rule one | parsed | ", "rule two size 0 | parsed | ",
                "skip | skipped | obedient: as told", "take that | parsed | ", "take this | parsed | ",
            ]
        )
        // Its own variables and the ordinary ones, and none of the pipeline's secrets under any name.
        let environment = try #require(books.first { $0.hasPrefix("environment") })
        #expect(environment.hasSuffix("a-key-of-its-own") && environment.contains(" PATH "))
        #expect(!environment.contains("CHAFFINCH") && !environment.contains("DISCORD_TOKEN"))
        #expect(!environment.contains("RABBITMQ_URL") && !environment.contains("DATABASE_URL"))
        let notes = try await desk.rows("select text, said, parser, source from note order by text")
        #expect(
            notes.filter { $0[3] == "plugin" }
                == ["crash once", "hang once", "later", "rule two size 0", "take that", "take this"].map {
                    [$0, $0, "obedient", "plugin"]
                }
        )
        let letters = try await desk.rows("select stage, error_class, error_text from dead_letters order by error_text")
        #expect(letters.allSatisfy { $0[0] == "plugin.obedient" && $0[1] == "permanent" })
        #expect(
            letters.compactMap { $0[2] } == [
                "obedient: answered what is no record: records[0]: 'note.size' is \"large\", not a whole number",
                "obedient: as told",
                "obedient: the plugin failed over it 3 times: it ended with exit code 3",
                "obedient: the plugin failed over it 3 times: its answer is not valid JSON: "
                    + (letters.compactMap { $0[2] }.last?.components(separatedBy: "JSON: ").last ?? ""),
            ]
        )
        let log = try #require(desk.supervisor).errors
        #expect(log.contains("answered take this"))
        #expect(try await desk.run(["status"]).exitCode == 0)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    /// The examples of `plugins/`, in a chain, as their heads say.
    @Test func theShippedExamplesWorkInAChain() async throws {
        let examples = Project.root.appending(path: "plugins").path
        let (desk, discord) = try await desk(
            ["Lions 3:1 Tigers", "look at DESK-12", "hello", "A 1-1 A"],
            workers: """
                workers:
                  score: { command: [python3, \(examples)/score.py], consumes: unmatched, replicas: 2 }
                  tickets: { command: [sh, \(examples)/tickets.sh], consumes: unmatched }
                """,
            records: """
                records:
                  result:
                    fields:
                      home:       { type: text, required: true }
                      away:       { type: text, required: true }
                      home_goals: { type: integer, required: true }
                      away_goals: { type: integer, required: true }
                    check:
                      - home != away
                  ticket:
                    fields:
                      key: { type: text, required: true }
                """
        )
        try desk.start()
        try await desk.untilMessages(4)
        #expect(
            try await books(of: desk) == [
                "A 1-1 A | skipped | score: check failed: home != away; tickets: it names no ticket",
                "Lions 3:1 Tigers | parsed | ",
                "hello | skipped | score: no result in it; tickets: it names no ticket",
                "look at DESK-12 | parsed | ",
            ]
        )
        #expect(
            try await desk.rows("select home, home_goals, away_goals, away, parser from result")
                == [["Lions", "3", "1", "Tigers", "score"]]
        )
        #expect(try await desk.rows("select key, parser from ticket") == [["DESK-12", "tickets"]])
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    /// A message in hand goes back when the process drains, or its host is killed, and is answered by the next one.
    @Test func aMessageInHandOutlivesItsHost() async throws {
        let (desk, discord) = try await desk(
            ["hang"],
            workers: """
                workers:
                  slow: { command: [sh, slow.sh], consumes: unmatched }
                """
        )
        // Deaf to SIGTERM, and with a child that is, too.
        let slow = """
            trap '' TERM
            while read -r line; do
                echo $$ >> asked
                if [ -e free ]; then echo '{"skip":"free"}'; else sleep 1000; fi
            done
            """
        try desk.folder.write(slow, to: "slow.sh")
        try desk.start()
        func asked() -> [Int32] {
            let file = desk.folder.url.appending(path: "asked")
            return ((try? String(contentsOf: file, encoding: .utf8)) ?? "").split(separator: "\n").compactMap {
                Int32($0)
            }
        }
        try await eventually("it is asked") { asked().count == 1 }
        let host = try #require(try await desk.pid(of: "slow"))
        kill(host, SIGKILL)
        try await eventually("the plugin died with its host, and the next one is asked") {
            asked().count == 2 && !Self.isAlive(asked()[0])
        }
        // What the first plugin had started itself was left to the supervisor, and does not hear SIGTERM.
        #expect(await desk.stop() == 75)
        #expect(!Self.isAlive(asked()[1]))
        #expect(await desk.messageCount() == 0)

        try desk.folder.write("", to: "free")
        try desk.start()
        try await desk.untilMessages(1)
        #expect(try await books(of: desk) == ["hang | skipped | slow: free"])
        #expect(try await desk.count("select count(*) from dead_letters") == 0)
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    /// No message is spent on a program that is not there.
    @Test func aMissingCommandOpensTheBreakerAndTouchesNoMessage() async throws {
        let (desk, discord) = try await desk(
            ["hello"],
            workers: """
                workers:
                  gone: { command: [there-is-no-such-program], consumes: unmatched, backoff: { initial: 10ms } }
                """
        )
        try desk.start()
        try await eventually("the breaker is open") {
            guard let workers = try await desk.status()?.root["workers"] else { return false }
            guard let gone = workers.elements.first(where: { $0["name"]?.string == "gone" }) else { return false }
            return gone["breaker"]?["state"]?.string == "open" && gone["last_exit"]?["code"]?.integer == 127
        }
        #expect(try #require(desk.supervisor).errors.contains("command not found: there-is-no-such-program"))
        #expect(await desk.stop() == 0)
        let pipeline = desk.folder.url.appending(path: "pipeline.yaml")
        let mended = try String(contentsOf: pipeline, encoding: .utf8)
            .replacing("[there-is-no-such-program]", with: "[python3, obedient.py]")
        try mended.write(to: pipeline, atomically: true, encoding: .utf8)
        try desk.start()
        try await desk.untilMessages(1)
        #expect(try await books(of: desk) == ["hello | parsed | "])
        #expect(await desk.stop() == 0)
        await discord.stop()
    }

    private static func isAlive(_ pid: Int32) -> Bool { kill(pid, 0) == 0 }
}
