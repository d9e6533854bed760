import Logging
import Model
import Remote
import Synchronization
import Testing

private let token = "made-up.token.for-tests"

/// A client against a scripted server, on a paused clock.
private struct Bench {
    let server: LoopbackServer
    let time = ManualTime()
    let log = LogRecorder()
    let http: HTTPClient
    let rest: DiscordREST

    init(timing: Timing? = nil, limits: RateLimiter.Settings = .init(), _ script: @escaping LoopbackServer.Script)
        throws
    {
        server = try LoopbackServer(script)
        http = HTTPClient(userAgent: "unused", logger: log.logger)
        rest = DiscordREST(
            api: server.url("/api/v10/"),
            token: token,
            http: http,
            logger: log.logger,
            limits: limits,
            timing: timing ?? time.timing
        )
    }

    /// One answer after the other; the last one stays.
    init(_ answers: [LoopbackServer.Step]...) throws {
        try self.init { _, index in answers[min(index, answers.count - 1)] }
    }

    func error(_ body: (DiscordREST) async throws -> Void) async throws -> DiscordError {
        try await #require(throws: DiscordError.self) { try await body(rest) }
    }

    /// Sees to it that no test of this file can leak the token unnoticed.
    func finish() {
        server.stop()
        http.close()
        #expect(!log.lines.contains { $0.contains(token) || $0.contains("made-up") })
    }
}

private let channel = Snowflake(1_315_807_571_357_208_688)

private func message(_ id: UInt64, _ content: String = "hello") -> String {
    #"{"id":"\#(id)","channel_id":"\#(channel)","type":0,"content":"\#(content)","#
        + #""timestamp":"2026-08-01T10:00:00.000000+00:00","author":{"id":"1","username":"someone"}}"#
}

@Suite struct DiscordRESTTests {
    @Test("messages come as Discord sends them, and a broken one does not spoil the others")
    func messages() async throws {
        let bench = try Bench([.answer(200, "[\(message(9)), {\"id\":\"8\"},\(message(7))]")])
        defer { bench.finish() }
        let page = try await bench.rest.messages(in: channel, .newest)
        #expect(page.count == 3)
        guard case .message(let first) = page[0], case .broken(let error, _) = page[1],
            case .message(let last) = page[2]
        else {
            Issue.record("not as expected: \(page)")
            return
        }
        #expect(first.id == Snowflake(9) && last.id == Snowflake(7))
        #expect(first.guildID == nil)
        #expect(String(decoding: first.payload, as: UTF8.self) == message(9))
        #expect(error.field == "channel_id")
    }

    struct Address: Sendable, CustomTestStringConvertible {
        var window: MessageWindow
        var limit: Int
        var query: String
        var testDescription: String { query }
    }

    @Test(
        "addresses and headers",
        arguments: [
            Address(window: .newest, limit: 100, query: "limit=100"),
            Address(window: .after(Snowflake(5)), limit: 50, query: "limit=50&after=5"),
            Address(window: .after(Snowflake(0)), limit: 1000, query: "limit=100&after=0"),
            Address(window: .before(Snowflake(6)), limit: 0, query: "limit=1&before=6"),
        ]
    )
    func address(_ row: Address) async throws {
        let bench = try Bench([.answer(200, "[]")])
        defer { bench.finish() }
        #expect(try await bench.rest.messages(in: channel, row.window, limit: row.limit).isEmpty)
        let request = try #require(bench.server.requests.first)
        #expect(request.line == "GET /api/v10/channels/\(channel)/messages?\(row.query) HTTP/1.1")
        #expect(request.headers["authorization"] == "Bot \(token)")
        #expect(request.headers["user-agent"] == "DiscordBot (https://chaffinch.invalid, 0.1.0)")
    }

    @Test func channelInfo() async throws {
        let bench = try Bench([.answer(200, #"{"id":"\#(channel)","guild_id":"7","name":"vip","type":15}"#)])
        defer { bench.finish() }
        let info = try await bench.rest.channel(channel)
        #expect(info.id == channel && info.guildID == Snowflake(7) && info.name == "vip")
        #expect(info.holdsOnlyThreads)
        #expect(bench.server.requests.map(\.line) == ["GET /api/v10/channels/\(channel) HTTP/1.1"])
    }

    struct Permissions: Sendable {
        var text: String
        var mayReadHistory: Bool?
    }

    @Test(
        "whether history may be read",
        arguments: [
            Permissions(text: #""66560""#, mayReadHistory: true), Permissions(text: #""65536""#, mayReadHistory: false),
            Permissions(text: #""1024""#, mayReadHistory: false), Permissions(text: #""8""#, mayReadHistory: true),
            Permissions(text: "null", mayReadHistory: nil),
        ]
    )
    func mayReadHistory(_ row: Permissions) async throws {
        let bench = try Bench([.answer(200, #"{"id":"1","type":0,"permissions":\#(row.text)}"#)])
        defer { bench.finish() }
        #expect(try await bench.rest.channel(Snowflake(1)).mayReadHistory == row.mayReadHistory)
    }

    @Test(
        "a token on its way unencrypted is worth a warning",
        arguments: [
            ("http://discord.example/api/v10", true), ("https://discord.example/api/v10", false),
            ("http://127.0.0.1:9/api", false), ("http://localhost/api", false), ("http://[::1]:9/api", false),
            ("http://127.0.0.1.example/api", true),
        ]
    )
    func plainHTTP(api: String, warns: Bool) {
        let log = LogRecorder()
        _ = DiscordREST(
            api: api,
            token: token,
            http: HTTPClient(userAgent: "unused", logger: log.logger),
            logger: log.logger
        )
        #expect(log.lines.contains { $0.hasPrefix("warning discord.api is not https") } == warns)
    }

    @Test func currentUser() async throws {
        let bench = try Bench([.answer(200, #"{"id":"42","username":"chaff"}"#)])
        defer { bench.finish() }
        let user = try await bench.rest.currentUser()
        #expect(user.id == Snowflake(42) && user.name == "chaff")
    }

    @Test(
        "the message content switch",
        arguments: [(0, false), (1 << 18, true), (1 << 19, true), (1 << 15, false)]
    )
    func application(flags: Int, isOn: Bool) async throws {
        let bench = try Bench([.answer(200, #"{"id":"42","flags":\#(flags)}"#)])
        defer { bench.finish() }
        #expect(try await bench.rest.application().hasMessageContent == isOn)
    }

    // MARK: What may pass

    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var steps: [LoopbackServer.Step]
        /// What the sentence says of it.
        var reason: String
    }

    static let faults: [Fault] = [
        Fault(
            testDescription: "502 with HTML",
            steps: [.answer(502, "<html>", type: "text/html")],
            reason: "HTTP 502 (text/html, 6 bytes)"
        ),
        Fault(
            testDescription: "500 without body",
            steps: [.answer(500)],
            reason: "HTTP 500 (application/json, 0 bytes)"
        ),
        Fault(
            testDescription: "200 with HTML",
            steps: [.answer(200, "<html>", type: "text/html")],
            reason: "HTTP 200 with a body that is not the expected JSON (text/html, 6 bytes)"
        ),
        Fault(
            testDescription: "200 with an object",
            steps: [.answer(200, #"{"a":1}"#)],
            reason: "HTTP 200 with a body that is not the expected JSON (application/json, 7 bytes)"
        ),
        Fault(
            testDescription: "JSON cut short under a matching length",
            steps: [.answer(200, #"[{"id":"1","#)],
            reason: "HTTP 200 with a body that is not the expected JSON (application/json, 11 bytes)"
        ),
        Fault(
            testDescription: "no UTF-8",
            steps: [.text("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), .bytes([91, 255, 0, 93])],
            reason: "HTTP 200 with a body that is not the expected JSON (no content type, 4 bytes)"
        ),
        Fault(
            testDescription: "body cut short",
            steps: [.text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"), .close],
            reason: "transfer closed"
        ),
        Fault(testDescription: "closed without an answer", steps: [.close], reason: "Empty reply"),
    ]

    @Test("a passing fault is retried with growing waits", arguments: faults)
    func retried(_ fault: Fault) async throws {
        let bench = try Bench(fault.steps, fault.steps, [.answer(200, "[]")])
        defer { bench.finish() }
        #expect(try await bench.rest.messages(in: channel, .newest).isEmpty)
        #expect(bench.time.sleeps == [.seconds(1), .seconds(2)])
        #expect(bench.server.requests.count == 3)
    }

    @Test("a fault that stays is given up after five attempts", arguments: faults)
    func givenUp(_ fault: Fault) async throws {
        let bench = try Bench(fault.steps)
        defer { bench.finish() }
        let error = try await bench.error { _ = try await $0.messages(in: channel, .newest) }
        #expect(error.code == .unavailable)
        #expect(error.sentence.hasPrefix("channel \(channel): no useful answer from Discord in 5 attempts, the last: "))
        #expect(error.sentence.contains(fault.reason))
        #expect(bench.time.sleeps == [1, 2, 4, 8].map { .seconds($0) })
        #expect(bench.server.requests.count == 5)
    }

    @Test("nobody listens") func nobodyListens() async throws {
        let bench = try Bench([.answer(200, "[]")])
        defer { bench.finish() }
        bench.server.stop()
        let error = try await bench.error { _ = try await $0.currentUser() }
        #expect(error.code == .unavailable)
        #expect(error.sentence.contains("the bot's account: no useful answer"))
    }

    // MARK: Limits

    @Test("a 429 is waited out and the request sent again")
    func limited() async throws {
        let bench = try Bench(
            [
                .answer(
                    429,
                    #"{"message":"You are being rate limited.","retry_after":2.5,"global":false}"#,
                    headers: ["Retry-After": "2", "X-RateLimit-Scope": "user", "Via": "1.1 google"]
                )
            ],
            [.answer(200, "[]")]
        )
        defer { bench.finish() }
        #expect(try await bench.rest.messages(in: channel, .newest).isEmpty)
        #expect(bench.time.sleeps == [.milliseconds(2500)])
    }

    @Test("an empty window is waited for before the next request, not after a 429")
    func windowObeyed() async throws {
        let bench = try Bench([
            .answer(
                200,
                "[]",
                headers: [
                    "X-RateLimit-Bucket": "abc", "X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0",
                    "X-RateLimit-Reset-After": "4.25",
                ]
            )
        ])
        defer { bench.finish() }
        for _ in 0..<3 { _ = try await bench.rest.messages(in: channel, .newest) }
        #expect(bench.time.sleeps == [.milliseconds(4250), .milliseconds(4250)])
    }

    @Test("429 without end is given up")
    func alwaysLimited() async throws {
        let bench = try Bench([.answer(429, #"{"retry_after":0.5}"#, headers: ["X-RateLimit-Scope": "shared"])])
        defer { bench.finish() }
        let error = try await bench.error { _ = try await $0.messages(in: channel, .newest) }
        #expect(error.code == .unavailable)
        #expect(error.sentence.contains("429 (rate limit) 10 times in a row"))
        #expect(bench.server.requests.count == 10)
    }

    @Test("a wait of more than a minute is told, not slept through")
    func longWait() async throws {
        let bench = try Bench([.answer(429, "<html>", type: "text/html", headers: ["Retry-After": "3600"])])
        defer { bench.finish() }
        for _ in 0..<2 {
            let error = try await bench.error { _ = try await $0.messages(in: channel, .newest) }
            #expect(error.code == .unavailable)
            #expect(error.retryAfter == .seconds(3600))
            #expect(error.sentence == "channel \(channel): Discord's rate limit allows the next request in 3600 s")
        }
        #expect(bench.server.requests.count == 1)
        #expect(bench.time.sleeps.isEmpty)
    }

    @Test("nothing is sent while a ban for invalid requests threatens")
    func tooManyInvalid() async throws {
        var limits = RateLimiter.Settings()
        limits.maximumInvalid = 3
        let bench = try Bench(limits: limits) { _, _ in [.answer(403, #"{"code":50001,"message":"Missing Access"}"#)] }
        defer { bench.finish() }
        for _ in 0..<3 { _ = try await bench.error { _ = try await $0.messages(in: channel, .newest) } }
        let error = try await bench.error { _ = try await $0.messages(in: Snowflake(2), .newest) }
        #expect(error.code == .tooManyInvalid)
        #expect(error.retryAfter == .seconds(600))
        #expect(error.sentence.hasPrefix("channel 2: not asked, because Discord refused so many requests"))
        #expect(bench.server.requests.count == 3)
    }

    @Test("many tasks on one channel get through one window after the other")
    func manyTasks() async throws {
        let headers = ["X-RateLimit-Bucket": "abc", "X-RateLimit-Limit": "5", "X-RateLimit-Reset-After": "5"]
        let bench = try Bench { _, index in
            [.answer(200, "[]", headers: headers.merging(["X-RateLimit-Remaining": "\(4 - index % 5)"]) { $1 })]
        }
        defer { bench.finish() }
        try await withThrowingTaskGroup { group in
            for _ in 0..<23 { group.addTask { try await bench.rest.messages(in: channel, .newest).count } }
            for try await count in group { #expect(count == 0) }
        }
        #expect(bench.server.requests.count == 23)
        #expect(!bench.time.sleeps.isEmpty)
    }

    // MARK: Cancellation

    @Test("cancelling ends a wait for the limiter")
    func cancelWait() async throws {
        let (sleeping, slept) = AsyncStream<Duration>.makeStream()
        let timing = Timing(
            now: { .zero },
            sleep: { duration in
                slept.yield(duration)
                try await Task.sleep(for: .seconds(3600))
            }
        )
        let bench = try Bench(timing: timing) { _, _ in
            [.answer(429, #"{"retry_after":9}"#, headers: ["X-RateLimit-Scope": "user"])]
        }
        defer { bench.finish() }
        let task = Task { _ = try await bench.rest.messages(in: channel, .newest) }
        var iterator = sleeping.makeAsyncIterator()
        #expect(await iterator.next() == .seconds(9))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("cancelling ends a transfer, and those who waited for its answer go on")
    func cancelTransfer() async throws {
        let bench = try Bench { _, index in index == 0 ? [.hold] : [.answer(200, "[]")] }
        defer { bench.finish() }
        var events = bench.server.events.makeAsyncIterator()
        let first = Task { _ = try await bench.rest.messages(in: channel, .newest) }
        #expect(await events.next() == .request(0))
        let second = Task { try await bench.rest.messages(in: channel, .newest).count }
        let third = Task { _ = try await bench.rest.messages(in: channel, .newest) }
        third.cancel()
        await #expect(throws: CancellationError.self) { try await third.value }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        #expect(try await second.value == 0)
    }
}
