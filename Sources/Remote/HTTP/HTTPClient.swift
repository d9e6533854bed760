package import Logging

/// HTTP over libcurl: any number of requests at once on one thread, with connections kept for reuse.
///
/// Redirects are not followed, certificates are always verified, and `http_proxy`, `https_proxy` and `no_proxy` are
/// respected, except for loopback. Compressed answers are asked for and unpacked. Nothing is retried, except that libcurl opens a new
/// connection when a kept one turns out dead before the first byte.
package final class HTTPClient: Sendable {
    private let loop: TransferLoop
    private let logger: Logger

    /// - Parameter userAgent: sent unless a request brings its own.
    package init(userAgent: String, logger: Logger) {
        loop = TransferLoop(userAgent: userAgent)
        self.logger = logger
    }

    deinit {
        loop.close()
    }

    /// Sends a request and returns its answer, whatever the status.
    ///
    /// - Throws: ``HTTPError``; with code `cancelled` when the task is cancelled, which ends the transfer at once.
    package func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let start = ContinuousClock.now
        let url = URLText.shown(request.url)
        do {
            let response = try await loop.run(request)
            logger.trace(
                "http exchange",
                metadata: [
                    "method": "\(request.method)", "url": "\(url)", "status": "\(response.status)",
                    "bytes": "\(response.body.count)", "took": "\(ContinuousClock.now - start)",
                ]
            )
            return response
        } catch {
            logger.debug("http exchange failed", metadata: ["error": "\(error)"])
            throw error
        }
    }

    /// Ends all transfers with code `cancelled`; later requests end so at once. Does not wait for the thread.
    package func close() {
        loop.close()
    }
}
