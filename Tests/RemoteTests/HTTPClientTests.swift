import Logging
import Remote
import TestSupport
import Testing

@Suite struct HTTPClientTests {
    let log = LogRecorder()
    let client: HTTPClient

    init() {
        client = HTTPClient(userAgent: "ChaffinchTest/1", logger: log.logger)
    }

    /// Sends and expects an error.
    private func failure(_ request: HTTPRequest) async throws -> HTTPError {
        try await #require(throws: HTTPError.self) { _ = try await client.send(request) }
    }

    @Test("status, headers without regard to case, body, and our own headers on the wire")
    func exchange() async throws {
        let server = try LoopbackServer { _, _ in [.answer(404, "héllo", headers: ["X-Thing": " a: b "])] }
        defer { server.stop() }
        let response = try await client.send(
            HTTPRequest(url: server.url("/a?b=c"), headers: [("X-Ours", "yes"), ("X-Empty", "")])
        )
        #expect(response.status == 404)
        #expect(response.headers["x-THING"] == "a: b")
        #expect(response.headers["absent"] == nil)
        #expect(String(decoding: response.body, as: UTF8.self) == "héllo")
        let request = try #require(server.requests.first)
        #expect(request.line == "GET /a?b=c HTTP/1.1")
        #expect(request.headers["x-ours"] == "yes")
        #expect(request.headers["x-empty"] == "")
        #expect(request.headers["user-agent"] == "ChaffinchTest/1")
        #expect(request.headers["accept-encoding"]?.contains("gzip") == true)
    }

    @Test("a body travels whole, also an empty one and one with zero bytes", arguments: [0, 1, 3000, 2_000_000])
    func body(size: Int) async throws {
        let server = try LoopbackServer { _, _ in [.answer(200, "ok")] }
        defer { server.stop() }
        let body = (0..<size).map { UInt8($0 % 256) }
        _ = try await client.send(HTTPRequest(method: "POST", url: server.url(), body: body))
        let request = try #require(server.requests.first)
        #expect(request.line.hasPrefix("POST "))
        #expect(request.body == body)
        #expect(request.headers["expect"] == nil)
    }

    @Test("connections are kept, and one that the server has closed is replaced unseen")
    func keepAlive() async throws {
        let server = try LoopbackServer { _, index in index == 1 ? [.answer(200, "b"), .close] : [.answer(200, "a")] }
        defer { server.stop() }
        for _ in 0..<3 { #expect(try await client.send(HTTPRequest(url: server.url())).status == 200) }
        #expect(server.requests.map(\.connection) == [0, 0, 1])
    }

    @Test("requests run at the same time")
    func concurrent() async throws {
        let server = try LoopbackServer { request, _ in
            request.line.contains("/slow") ? [.hold] : [.answer(200, "fast")]
        }
        defer { server.stop() }
        let slow = Task { try await client.send(HTTPRequest(url: server.url("/slow"))) }
        try await withThrowingTaskGroup { group in
            for number in 0..<40 {
                group.addTask { try await client.send(HTTPRequest(url: server.url("/\(number)"))).status }
            }
            for try await status in group { #expect(status == 200) }
        }
        slow.cancel()
        let error = await #expect(throws: HTTPError.self) { _ = try await slow.value }
        #expect(error?.code == .cancelled)
    }

    @Test("no redirect is followed")
    func redirect() async throws {
        let server = try LoopbackServer { _, _ in [.answer(302, headers: ["Location": "/elsewhere"])] }
        defer { server.stop() }
        #expect(try await client.send(HTTPRequest(url: server.url())).status == 302)
        #expect(server.requests.count == 1)
    }

    @Test("an interim answer is not mistaken for the answer")
    func interim() async throws {
        let server = try LoopbackServer { _, _ in
            [.text("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"), .answer(200, "late", headers: ["X-Late": "1"])]
        }
        defer { server.stop() }
        let response = try await client.send(HTTPRequest(url: server.url()))
        #expect(response.status == 200)
        #expect(response.headers["X-Early"] == nil)
        #expect(response.headers["X-Late"] == "1")
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var steps: [LoopbackServer.Step]
        var code: HTTPError.Code
    }

    static let faults: [Fault] = [
        Fault(
            testDescription: "body cut short",
            steps: [.text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"), .close],
            code: .cut
        ),
        Fault(
            testDescription: "chunk cut short",
            steps: [.text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nabc"), .close],
            code: .cut
        ),
        Fault(testDescription: "closed without an answer", steps: [.close], code: .cut),
        Fault(
            testDescription: "compressed garbage",
            steps: [.answer(200, "this is not gzip", headers: ["Content-Encoding": "gzip"])],
            code: .cut
        ),
        Fault(
            testDescription: "larger than allowed",
            steps: [.answer(200, String(repeating: "x", count: 5000))],
            code: .tooLarge
        ),
        Fault(
            testDescription: "headers without end",
            steps: [.text("HTTP/1.1 200 OK\r\n")]
                + (0..<40).map { .text("X-\($0): " + String(repeating: "y", count: 10_000) + "\r\n") } + [.hold],
            code: .tooLarge
        ),
        Fault(
            testDescription: "not HTTP at all",
            steps: [.text("220 mail.example ESMTP\r\n\r\n"), .close],
            code: .other
        ),
        Fault(testDescription: "no answer in time", steps: [.hold], code: .timeout),
        Fault(
            testDescription: "an answer that drips too slowly",
            steps: [.text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n["), .hold],
            code: .timeout
        ),
    ]

    @Test("faults", arguments: faults) func fault(_ fault: Fault) async throws {
        let server = try LoopbackServer { _, _ in fault.steps }
        defer { server.stop() }
        let limit: Duration = fault.code == .timeout ? .milliseconds(150) : .seconds(20)
        let error = try await failure(HTTPRequest(url: server.url("/x"), timeout: limit, maximumBodyBytes: 4096))
        #expect(error.code == fault.code, "\(error)")
        #expect(error.message.hasPrefix("GET \(server.url("/x")): "))
    }

    @Test("a peer that is gone is told from one that thinks", arguments: [true, false])
    func lostPackets(isGone: Bool) async throws {
        let server = try LoopbackServer { _, _ in [.hold] }
        defer { server.stop() }
        let proxy = try FaultProxy(to: server.port)
        defer { proxy.stop() }
        let limit: Duration = isGone ? .seconds(120) : .seconds(4)
        let request = HTTPRequest(url: "http://127.0.0.1:\(proxy.port)/", peerTimeout: .seconds(1), timeout: limit)
        async let end = failure(request)
        var events = server.events.makeAsyncIterator()
        #expect(await events.next() == .request(0))
        if isGone { proxy.set(.lostPackets) }
        #expect(try await end.code == (isGone ? .cut : .timeout))
    }

    @Test("nobody listens")
    func refused() async throws {
        let server = try LoopbackServer { _, _ in [] }
        server.stop()
        #expect(try await failure(HTTPRequest(url: server.url())).code == .connect)
    }

    @Test("plain text where TLS is expected")
    func notTLS() async throws {
        let server = try LoopbackServer(greeting: "HTTP/1.1 400 Bad Request\r\n\r\n") { _, _ in [.close] }
        defer { server.stop() }
        let error = try await failure(HTTPRequest(url: "https://127.0.0.1:\(server.port)/"))
        #expect(error.code == .tls, "\(error)")
    }

    @Test("other protocols are refused", arguments: ["file:///etc/hostname", "ftp://127.0.0.1/", "no url"])
    func otherProtocols(url: String) async throws {
        let error = try await failure(HTTPRequest(url: url, timeout: .seconds(5)))
        #expect(error.code == .other || error.code == .connect)
    }

    @Test("a header with a line break is never sent", arguments: ["a\r\nX-Evil: 1", "a\nb", "a\u{0}b"])
    func headerInjection(value: String) async throws {
        let server = try LoopbackServer { _, _ in [.answer(200)] }
        defer { server.stop() }
        let error = try await failure(HTTPRequest(url: server.url(), headers: [("Authorization", value)]))
        #expect(error.code == .other)
        #expect(!error.message.contains(value))
        #expect(server.requests.isEmpty)
    }

    @Test("cancelling the task ends the transfer and its connection")
    func cancellation() async throws {
        let server = try LoopbackServer { _, _ in [.text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), .hold] }
        defer { server.stop() }
        var events = server.events.makeAsyncIterator()
        let task = Task { try await client.send(HTTPRequest(url: server.url())) }
        #expect(await events.next() == .request(0))
        task.cancel()
        let error = await #expect(throws: HTTPError.self) { _ = try await task.value }
        #expect(error?.code == .cancelled)
        #expect(await events.next() == .clientClosed)
    }

    @Test("a task that is already cancelled sends nothing it would wait for")
    func cancelledBefore() async throws {
        let server = try LoopbackServer { _, _ in [.hold] }
        defer { server.stop() }
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.send(HTTPRequest(url: server.url()))
        }
        let error = await #expect(throws: HTTPError.self) { _ = try await task.value }
        #expect(error?.code == .cancelled)
    }

    @Test("many cancellations at once leave every task with an end, and the client usable")
    func manyCancellations() async throws {
        let server = try LoopbackServer { request, _ in
            request.line.contains("/hold") ? [.hold] : [.answer(200, "ok")]
        }
        defer { server.stop() }
        await withTaskGroup { group in
            for number in 0..<60 {
                let task = Task { try await client.send(HTTPRequest(url: server.url(number % 2 == 0 ? "/hold" : "/"))) }
                group.addTask {
                    if number % 2 == 0 || number % 3 == 0 { task.cancel() }
                    switch await task.result {
                    case .success(let response): #expect(response.status == 200)
                    case .failure(let error): #expect((error as? HTTPError)?.code == .cancelled)
                    }
                }
            }
        }
        #expect(try await client.send(HTTPRequest(url: server.url())).status == 200)
    }

    @Test("closing ends what is under way, and what comes after")
    func close() async throws {
        let server = try LoopbackServer { _, _ in [.hold] }
        defer { server.stop() }
        var events = server.events.makeAsyncIterator()
        let task = Task { try await client.send(HTTPRequest(url: server.url())) }
        #expect(await events.next() == .request(0))
        client.close()
        let error = await #expect(throws: HTTPError.self) { _ = try await task.value }
        #expect(error?.code == .cancelled)
        #expect(try await failure(HTTPRequest(url: server.url())).code == .cancelled)
    }

    @Test("neither headers nor the secrets of an address reach a log line or an error")
    func secrets() async throws {
        let server = try LoopbackServer { _, index in index == 0 ? [.answer(200)] : [.close] }
        defer { server.stop() }
        let url = "http://someone:hidden1@127.0.0.1:\(server.port)/path?key=hidden2#hidden3"
        let request = HTTPRequest(url: url, headers: [("Authorization", "Bot hidden4")])
        _ = try await client.send(request)
        let error = try await failure(request)
        let shown = log.lines + [error.message, "\(error)"]
        #expect(shown.contains { $0.contains("http://127.0.0.1:\(server.port)/path") })
        #expect(!shown.contains { $0.contains("hidden") || $0.contains("someone") })
    }
}
