import Foundation
package import Logging
import Model

/// Asks OpenAI, or a server compatible with it, for chat completions. Any number at once; nothing is retried here.
package final class OpenAIClient: Sendable {
    package static let userAgent = "chaffinch/\(Chaffinch.version)"

    private let url: String
    private let key: String
    private let http: HTTPClient
    private let limitKey: String
    private let timeouts: Timeouts

    package struct Timeouts: Sendable {
        package var connect: Duration
        /// No byte for so long: before the first, which comes when the model has finished, or later.
        package var silence: Duration
        package var whole: Duration

        package init(
            connect: Duration = .seconds(10),
            silence: Duration = .seconds(60),
            whole: Duration = .seconds(90)
        ) {
            self.connect = connect
            self.silence = silence
            self.whole = whole
        }
    }

    /// - Parameters:
    ///   - baseURL: such as `https://api.openai.com/v1`.
    ///   - key: sent as a bearer token, and nowhere else.
    package init(
        baseURL: String,
        key: String,
        http: HTTPClient,
        logger: Logger,
        timeouts: Timeouts = Timeouts()
    ) {
        let base = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        url = base + "/chat/completions"
        self.key = key
        self.http = http
        self.timeouts = timeouts
        limitKey = base.contains("://api.openai.com/") ? "max_completion_tokens" : "max_tokens"
        if !base.hasPrefix("https:"), !URLText.isLoopback(base) {
            logger.warning("openai.base_url is not https: the key and the messages travel unencrypted")
        }
    }

    private static var now: Timestamp {
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
    }

    /// - Throws: ``OpenAIFault``, or `CancellationError` when the task is cancelled.
    package func ask(_ request: ChatRequest) async throws -> ChatAnswer {
        let response: HTTPResponse
        do {
            response = try await http.send(
                HTTPRequest(
                    method: "POST",
                    url: url,
                    headers: [
                        ("Authorization", "Bearer \(key)"), ("Content-Type", "application/json"),
                        ("Accept", "application/json"),
                    ],
                    body: request.body(limitKey: limitKey),
                    connectTimeout: timeouts.connect,
                    silenceTimeout: timeouts.silence,
                    timeout: timeouts.whole,
                    maximumBodyBytes: 4 << 20
                )
            )
        } catch let error as HTTPError {
            guard error.code != .cancelled else { throw CancellationError() }
            throw OpenAIFault(error)
        }
        guard (200..<300).contains(response.status) else {
            throw OpenAIFault(response, without: key, now: Self.now)
        }
        guard let answer = ChatAnswer(response.body) else { throw OpenAIFault(notAnAnswer: response) }
        return answer
    }
}
