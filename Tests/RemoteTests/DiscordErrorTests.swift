import Logging
import Model
import Remote
import Testing

private let token = "made-up.token.for-tests"

@Suite struct DiscordErrorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var status: Int
        var body: String
        var type = "application/json"
        var code: DiscordError.Code
        var sentence: String
        var testDescription: String { "\(status) \(body.prefix(30))" }
    }

    static let cases: [Case] = [
        Case(
            status: 401,
            body: #"{"message":"401: Unauthorized","code":0}"#,
            code: .unauthorised,
            sentence: "Discord refuses the bot token (401 Unauthorized), so nothing more is asked; put a valid token "
                + "into discord.token (Developer Portal, Bot, Reset Token) and restart"
        ),
        Case(
            status: 403,
            body: #"{"message":"Missing Access","code":50001}"#,
            code: .forbidden(50001),
            sentence: "channel 123: the bot may not see this channel (50001 Missing Access); "
                + "invite it or give it View Channel and Read Message History"
        ),
        Case(
            status: 403,
            body: #"{"message":"Missing Permissions","code":50013}"#,
            code: .forbidden(50013),
            sentence: "channel 123: the bot lacks a permission (50013 Missing Permissions); "
                + "give it View Channel and Read Message History"
        ),
        Case(
            status: 403,
            body: #"{"message":"You need to verify\nyour account","code":40002}"#,
            code: .forbidden(40002),
            sentence: "channel 123: Discord refuses access (HTTP 403, 40002 You need to verify your account); "
                + "check what the bot may do"
        ),
        Case(
            status: 403,
            body: "<html>blocked</html>",
            type: "text/html",
            code: .forbidden(0),
            sentence: "channel 123: refused with 403 but without Discord's error object, as its edge does with an "
                + "address it blocks; check the network and discord.api"
        ),
        Case(
            status: 404,
            body: #"{"message":"Unknown Channel","code":10003}"#,
            code: .unknownChannel,
            sentence: "channel 123: Discord knows no such channel (10003 Unknown Channel); "
                + "it was deleted, or its id in pipeline.yaml is wrong"
        ),
        Case(
            status: 404,
            body: "nothing here",
            type: "text/plain",
            code: .badRequest,
            sentence: "channel 123: no such address (404) at Discord; check discord.api"
        ),
        Case(
            status: 404,
            body: #"{"message":"404: Not Found","code":0}"#,
            code: .badRequest,
            sentence: "channel 123: Discord refuses the request (HTTP 404, 0 404: Not Found); it is not repeated"
        ),
        Case(
            status: 400,
            body: #"{"message":"Invalid Form Body","code":50035}"#,
            code: .badRequest,
            sentence: "channel 123: Discord refuses the request (HTTP 400, 50035 Invalid Form Body); it is not repeated"
        ),
        Case(
            status: 400,
            body: #"{"message":"you sent Bot made-up.token.for-tests!","code":1}"#,
            code: .badRequest,
            sentence: "channel 123: Discord refuses the request (HTTP 400, 1 you sent Bot [token]!); it is not repeated"
        ),
        Case(
            status: 301,
            body: "",
            code: .badRequest,
            sentence: "channel 123: redirected elsewhere (301), which is not followed; check discord.api"
        ),
    ]

    private func rest(_ server: LoopbackServer, token: String = token) -> DiscordREST {
        let logger = LogRecorder().logger
        return DiscordREST(
            api: server.url("/api/v10"),
            token: token,
            http: HTTPClient(userAgent: "unused", logger: logger),
            logger: logger,
            timing: ManualTime().timing
        )
    }

    @Test("code and whole sentence; refusals are not repeated", arguments: cases)
    func refusal(_ row: Case) async throws {
        let server = try LoopbackServer { _, _ in [.answer(row.status, row.body, type: row.type)] }
        defer { server.stop() }
        let rest = rest(server)
        let error = try await #require(throws: DiscordError.self) {
            _ = try await rest.messages(in: Snowflake(123), .newest)
        }
        #expect(error.code == row.code)
        #expect(error.sentence == row.sentence)
        #expect(server.requests.count == 1)
    }

    @Test("a channel's refusal does not stop the others")
    func othersGoOn() async throws {
        let server = try LoopbackServer { request, _ in
            request.line.contains("/123/")
                ? [.answer(403, #"{"message":"Missing Access","code":50001}"#)] : [.answer(200, "[]")]
        }
        defer { server.stop() }
        let rest = rest(server)
        await #expect(throws: DiscordError.self) { _ = try await rest.messages(in: Snowflake(123), .newest) }
        #expect(try await rest.messages(in: Snowflake(124), .newest).isEmpty)
    }

    @Test("after a 401 nothing more is sent")
    func unauthorisedStops() async throws {
        let server = try LoopbackServer { _, _ in [.answer(401, #"{"message":"401: Unauthorized","code":0}"#)] }
        defer { server.stop() }
        let rest = rest(server)
        for _ in 0..<3 {
            let error = await #expect(throws: DiscordError.self) { _ = try await rest.currentUser() }
            #expect(error?.code == .unauthorised)
        }
        #expect(server.requests.count == 1)
    }

    @Test("a token that can be none is not sent", arguments: ["", "two words", "line\nbreak", "tökén"])
    func badToken(token: String) async throws {
        let server = try LoopbackServer { _, _ in [.answer(200, "[]")] }
        defer { server.stop() }
        let rest = rest(server, token: token)
        let error = try await #require(throws: DiscordError.self) { _ = try await rest.currentUser() }
        #expect(error.code == .unauthorised)
        #expect(token.isEmpty || !error.sentence.contains(token))
        #expect(server.requests.isEmpty)
    }
}
