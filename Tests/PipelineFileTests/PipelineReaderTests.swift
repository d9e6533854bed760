import Model
import Testing

@testable import PipelineFile

@Suite struct PipelineReaderTests {
    @Test func readsEveryKey() throws {
        let reading = reading(
            try Fixtures.read("full.yaml"),
            environment: ["TOKEN": "Bot abc.def", "SCORE_KEY": "k"],
            files: ["/desk/console.token": "secret\r\n"]
        )
        let pipeline = try #require(reading.pipeline, "\(messages(reading.diagnostics))")

        #expect(pipeline.name == "full")
        #expect(pipeline.dataFolder == "/var/lib/chaffinch")
        #expect(pipeline.parsersFolder == "/desk/rules")
        #expect(pipeline.parsersShownAs == "rules")
        #expect(!pipeline.broker.isManaged)
        #expect(pipeline.store.messages == .parsed)
        #expect(pipeline.store.retentionDays == 30)
        #expect(pipeline.store.fetchURL?.source == .template("postgres://fetcher@db/desk"))
        #expect(pipeline.discord.api == "http://127.0.0.1:9000/api/v10")
        #expect(pipeline.discord.poll == .seconds(500))
        #expect(pipeline.openai.onBudget == .skip)
        #expect(pipeline.supervisor.logFormat == .json)
        #expect(pipeline.console.listenHost == "0.0.0.0")
        #expect(pipeline.console.listenPort == 80)
        #expect(pipeline.console.token?.source == .file("/desk/console.token"))

        let channel = try #require(pipeline.channels.first)
        #expect(channel.since?.iso8601 == "2024-12-01T08:00:00Z")
        #expect(channel.threads && channel.onDelete == .erase)
        #expect(pipeline.channels[1].id.description == "1315807571357208689")

        #expect(
            reading.secrets == [
                "CHAFFINCH_BROKER_URL": "amqp://broker:5672/", "CHAFFINCH_STORE_URL": "postgres://worker@db/desk",
                "CHAFFINCH_STORE_SETUP_URL": "postgres://owner@db/desk",
                "CHAFFINCH_STORE_FETCH_URL": "postgres://fetcher@db/desk", "CHAFFINCH_DISCORD_TOKEN": "abc.def",
                "CHAFFINCH_CONSOLE_TOKEN": "secret",
            ]
        )
    }

    @Test func readsRecordsWithDefaultsOfEveryKind() throws {
        let environment = ["TOKEN": "abc", "SCORE_KEY": "k"]
        let reading = reading(
            try Fixtures.read("full.yaml"),
            environment: environment,
            files: ["/desk/console.token": "secret"]
        )
        let record = try #require(reading.pipeline?.recordType(named: "everything"))
        #expect(
            record.fields.map(\.defaultValue) == [
                .text("yes"), .integer(16), .decimal(ExactDecimal("1.5")!), .boolean(true),
                .timestamp(Timestamp(iso8601: "2024-12-01")!), .text("Long"), .json(#"{"k":[1,"2",null]}"#),
            ]
        )
        #expect(record.fields.map(\.required) == [true, false, false, false, false, false, false])
        #expect(record.list(named: "parts")?.fields.map(\.name) == ["part"])
        #expect(record.checks == ["a_price > 0", "parts"])
        #expect(reading.recordChecks["everything"]?.map(\.mark.column) == [13, 26])
    }

    @Test func readsWorkers() throws {
        let reading = reading(
            try Fixtures.read("full.yaml"),
            environment: ["TOKEN": "abc", "SCORE_KEY": "k"],
            files: ["/desk/console.token": "secret"]
        )
        let workers = try #require(reading.pipeline?.workers)
        #expect(workers.map(\.name) == ["parse", "deadletter", "score", "other"])
        let parse = workers[0]
        #expect(parse.replicas == 4 && parse.restart == .transient && parse.critical == true)
        #expect(parse.successExit == [0, 3] && parse.noRestartExit == [78])
        #expect(parse.backoff?.factor == 1.5 && parse.backoff?.max == .seconds(60))
        #expect(parse.breaker?.failures == 3 && parse.breaker?.isOff == false)
        #expect(parse.heartbeat?.every == .seconds(2))
        #expect(parse.dependsOn == ["store": .ready, "score": .started])
        #expect(parse.probe?.tcp == "localhost:9999")
        #expect(workers[1] == Worker(name: "deadletter"))
        #expect(reading.pipeline?.plugins.map(\.name) == ["score"])
        let score = workers[2]
        #expect(score.command == ["python3", "plugins/score.py", "--level=3"])
        #expect(score.consumes == .unmatched && score.breaker?.isOff == true && score.cwd == "/desk/plugins")
        #expect(try score.env?["KEY"]?.expanded(with: ["SCORE_KEY": "k"]) == "k")
        #expect(score.env?["KEY"]?.text == "${SCORE_KEY}")
        #expect(score.limits?.memory == 64 << 20 && score.limits?.oomScoreAdj == 500)
        #expect(workers[3].probe?.exec == ["true"])
    }

    @Test func warnsOfWhatIsAcceptedButNotDone() throws {
        let reading = reading(
            try Fixtures.read("full.yaml"),
            environment: ["TOKEN": "abc", "SCORE_KEY": "k", "OPENAI_API_KEY": "sk"],
            files: ["/desk/console.token": "secret"]
        )
        #expect(
            messages(reading.diagnostics) == [
                "pipeline.yaml:9:9: warning: the gateway is not built yet; channels are polled every 500s",
                "pipeline.yaml:12:85: warning: threads are not read yet; only the channel itself is",
                "pipeline.yaml:64:20: warning: the console is not built yet; see 'chaffinch status'",
            ]
        )
    }

    @Test(
        arguments: [
            (50, "1s", nil), (500, "10s", nil), (51, "1s", "51 channels polled every 1s need 51 requests a second"),
            (501, "10s", "501 channels polled every 10s need 51 requests a second"), (75, "1500ms", nil),
            (1000, "10s", "1000 channels polled every 10s need 100 requests a second"), (1000, "20s", nil),
        ] as [(Int, String, String?)]
    )
    func warnsOfPollingMoreThanDiscordAllows(channels: Int, poll: String, warning: String?) throws {
        let list = (1...channels).map { "  - { name: c\($0), id: \"\($0)\" }" }.joined(separator: "\n")
        let reading = reading(
            "name: desk\ndiscord: { token: \"${TOKEN}\", poll: \(poll) }\nchannels:\n\(list)\n",
            environment: ["TOKEN": "abc"]
        )
        #expect(reading.pipeline != nil)
        let found = messages(reading.diagnostics)
        #expect(found.count == (warning == nil ? 0 : 1))
        #expect(found.first?.hasPrefix("pipeline.yaml:2:37: warning: \(warning ?? "")") ?? true, "\(found)")
        #expect(
            found.first?.contains("each is polled every \((channels + 49) / 50)s at best; set 'discord.poll' to")
                ?? true
        )
    }

    @Test func everythingHasADefault() throws {
        let reading = reading("workers:\n  sleeper: { command: [sleep, \"9\"] }\n")
        let pipeline = try #require(reading.pipeline)
        #expect(reading.diagnostics.isEmpty)
        #expect(reading.secrets.isEmpty)
        #expect(!pipeline.hasPipeline)
        #expect(pipeline.name == "desk")
        #expect(pipeline.dataFolder == "/desk/data")
        #expect(pipeline.broker.isManaged)
        #expect(pipeline.store.url.source == .template("sqlite:/desk/data/chaffinch.db"))
        #expect(pipeline.supervisor.stopTimeout == .seconds(8))
        #expect(pipeline.console.listenPort == 8080)
    }

    @Test func aPipelineOnDefaultsHasALocalDatabase() throws {
        let reading = reading("name: desk\nparsers: parsers/\n")
        #expect(reading.secrets == ["CHAFFINCH_STORE_URL": "sqlite:/desk/data/chaffinch.db"])
        #expect(reading.pipeline?.broker.isManaged == true)
    }

    @Test(arguments: ["[a]", "just text", "- a"])
    func theFileMustBeAMap(text: String) {
        #expect(reading(text).pipeline == nil)
        #expect(messages(reading(text).diagnostics)[0].contains("the file must be a map"))
    }

    @Test(arguments: [
        ("127.0.0.1:8080", true), ("localhost:0", true), ("[::1]:80", true), ("127.9.9.9:1", true),
        ("0.0.0.0:80", false), ("[::]:80", false), ("console.example:80", false),
    ])
    func listeningBeyondLoopbackNeedsAToken(listen: String, isAllowed: Bool) {
        let text = "console: { listen: \"\(listen)\" }\n"
        #expect((reading(text).pipeline != nil) == isAllowed)
        let withToken = "console: { listen: \"\(listen)\", token: \"${T:-}\" }\n"
        #expect((reading(withToken).pipeline != nil) == isAllowed)
        #expect(reading(withToken, environment: ["T": "x"]).pipeline != nil)
        #expect(reading(withToken, resolvingSecrets: false).pipeline != nil)
    }

    @Test(arguments: ["8080", ":8080", "host", "::1:80", "[::1]", "host:99999", "a b:80", "http://x:80"])
    func aListenAddressIsHostAndPort(listen: String) {
        let found = messages(reading("console: { listen: \"\(listen)\" }\n").diagnostics)
        #expect(found.count == 1)
        #expect(found[0].contains("'console.listen' must be host:port"))
    }
}
