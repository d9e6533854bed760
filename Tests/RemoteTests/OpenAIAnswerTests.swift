import Model
import Testing

@testable import Remote

@Suite struct OpenAIAnswerTests {
    private func fault(_ status: Int, _ headers: HTTPHeaders = [:], _ body: String = "") -> OpenAIFault {
        OpenAIFault(
            HTTPResponse(status: status, headers: headers, body: Array(body.utf8)),
            without: "sk-secret",
            now: Timestamp(iso8601: "2026-03-01T12:00:00Z")!
        )
    }

    private static func error(_ type: String, _ code: String?, _ message: String = "No.") -> String {
        #"{"error":{"message":"\#(message)","type":"\#(type)","param":null,"code":\#(code.map { "\"\($0)\"" } ?? "null")}}"#
    }

    @Test("429 is of two kinds, and its wait is what the server says")
    func limits() {
        let quota = Self.error("insufficient_quota", "insufficient_quota")
        #expect(fault(429, [:], quota).kind == .quotaSpent)
        let limited = Self.error("requests", "rate_limit_exceeded")
        let waits: [(HTTPHeaders, Duration?)] = [
            ([:], nil), (["Retry-After": "20"], .seconds(20)), (["retry-after-ms": "150"], .milliseconds(150)),
            (["Retry-After": "20", "retry-after-ms": "1500"], .milliseconds(1500)),
            (["Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"], .seconds(30)),
            (["Retry-After": "Sun, 01 Mar 2026 11:00:30 GMT"], .zero), (["Retry-After": "soon"], nil),
            (["Retry-After": "-1"], nil), (["Retry-After": "1e9"], .seconds(3600)),
            (["retry-after-ms": "nan", "Retry-After": "2"], .seconds(2)),
        ]
        for (headers, wait) in waits { #expect(fault(429, headers, limited).kind == .limited(wait), "\(headers)") }
    }

    @Test(
        "every other status has its meaning",
        arguments: [
            (301, .notFound), (302, .notFound), (307, .notFound), (400, .refused), (401, .unauthorised),
            (402, .quotaSpent), (403, .unauthorised), (404, .notFound), (405, .notFound), (407, .unauthorised),
            (408, .passing),
            (409, .passing), (413, .refused), (422, .refused), (500, .passing), (502, .passing), (503, .passing),
            (529, .passing),
        ] as [(Int, OpenAIFault.Kind)]
    )
    func statuses(status: Int, kind: OpenAIFault.Kind) {
        #expect(fault(status).kind == kind)
    }

    @Test("what is said shows the server's words, never the key")
    func texts() {
        let body = Self.error("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-secret.")
        #expect(fault(401, [:], body).description == "HTTP 401: Incorrect API key provided: [token].")
        #expect(fault(502, ["Content-Type": "text/html"], "<html>").description == "HTTP 502: text/html, 6 bytes")
    }

    @Test(
        "a body that is no chat completion is none",
        arguments: [
            "", "<html></html>", "{}", "data: {\"choices\":[{\"delta\":{\"content\":\"{\"}}]}\n\ndata: [DONE]\n\n",
            String(repeating: "[", count: 100_000),
            #"{"choices":[{"delta":{"content":"{}"},"finish_reason":"stop"}]}"#, #"{"choices":[]}"#,
            #"{"choices":[{"message":null,"finish_reason":"stop"}]}"#,
            #"{"choices":[{"message":{"content":"x"},"finish_re"#,
        ]
    )
    func broken(body: String) {
        #expect(ChatAnswer(Array(body.utf8)) == nil)
    }

    @Test("an answer with its cost, and one of a server that tells none")
    func answers() {
        let full = """
            {"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",\
            "content":"{}","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,\
            "total_tokens":7}}
            """
        #expect(
            ChatAnswer(Array(full.utf8))
                == ChatAnswer(
                    content: "{}",
                    finishReason: "stop",
                    usage: ChatAnswer.Usage(promptTokens: 5, completionTokens: 2)
                )
        )
        for cost in [#""prompt_tokens":0,"completion_tokens":0"#, #""prompt_tokens":-5,"completion_tokens":2"#] {
            let body = #"{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"usage":{\#(cost)}}"#
            #expect(ChatAnswer(Array(body.utf8)) == ChatAnswer(content: "", finishReason: "stop"))
        }
        let bare = #"{"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}"#
        #expect(ChatAnswer(Array(bare.utf8)) == ChatAnswer(content: "", refusal: "No.", finishReason: "stop"))
    }

    @Test("a redirect is followed by nobody: neither the key nor the message goes elsewhere")
    func redirect() async throws {
        let elsewhere = try LoopbackServer { _, _ in [.answer(200, "{}")] }
        defer { elsewhere.stop() }
        let target = elsewhere.url("/v1/chat/completions?key=sk-secret")
        let server = try LoopbackServer { _, _ in [.answer(307, "", headers: ["Location": target])] }
        defer { server.stop() }
        let log = LogRecorder()
        let http = HTTPClient(userAgent: "test", logger: log.logger)
        defer { http.close() }
        let client = OpenAIClient(baseURL: server.url("/v1"), key: "sk-secret", http: http, logger: log.logger)
        let request = ChatRequest(model: "m", turns: [], schema: nil, maximumTokens: 1)
        let fault = await #expect(throws: OpenAIFault.self) { _ = try await client.ask(request) }
        #expect(fault?.kind == .notFound)
        #expect(fault?.description.contains("redirects are not followed") == true)
        #expect(fault?.description.contains("sk-secret") == false)
        #expect(elsewhere.requests.isEmpty)
        #expect(server.requests.count == 1)
    }

    @Test("a request asks for one answer at temperature 0, with the schema as it is")
    func request() throws {
        let request = ChatRequest(
            model: "m",
            turns: [ChatRequest.Turn(.system, "read"), ChatRequest.Turn(.user, "a \"b\"\n")],
            schema: Array(#"{"type":"object"}"#.utf8),
            maximumTokens: 99
        )
        #expect(
            String(decoding: request.body(limitKey: "max_tokens"), as: UTF8.self) == """
                {"model":"m","messages":[{"role":"system","content":"read"},{"role":"user","content":"a \\"b\\"\\n"}],\
                "response_format":{"type":"json_schema","json_schema":{"name":"records","strict":true,\
                "schema":{"type":"object"}}},"temperature":0,"max_tokens":99}
                """
        )
    }

    @Test("only a server that holds to the schema answers the probe as it wants")
    func probe() {
        #expect(SchemaSupport(ChatAnswer(content: #"{"probe":"chaffinch"}"#, finishReason: "stop")) == .honoured)
        #expect(SchemaSupport(ChatAnswer(content: "hello", finishReason: "stop")) == .ignored)
        #expect(SchemaSupport(ChatAnswer(content: #"{"probe":"hello"}"#, finishReason: "stop")) == .ignored)
    }
}
