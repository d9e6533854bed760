/// What to ask of an HTTP server.
package struct HTTPRequest: Sendable {
    package var method: String
    /// `http` or `https`. User info, query and fragment never appear in a log line or error text.
    package var url: String
    /// Never logged. A value with a line break is refused when the request is sent.
    package var headers: [(String, String)]
    package var body: [UInt8]?
    package var connectTimeout: Duration
    /// No byte for so long, before the first or between two, ends the exchange; in whole seconds, rounded up. `nil`
    /// leaves it to ``timeout``.
    package var silenceTimeout: Duration?
    /// The same for the network: the peer's machine acknowledges nothing, so it is gone, where one that only thinks is
    /// silent too.
    package var peerTimeout: Duration
    /// For the whole exchange, connecting included.
    package var timeout: Duration
    /// After decompression.
    package var maximumBodyBytes: Int

    package init(
        method: String = "GET",
        url: String,
        headers: [(String, String)] = [],
        body: [UInt8]? = nil,
        connectTimeout: Duration = .seconds(10),
        silenceTimeout: Duration? = nil,
        peerTimeout: Duration = .seconds(20),
        timeout: Duration = .seconds(30),
        maximumBodyBytes: Int = 16 * 1024 * 1024
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.connectTimeout = connectTimeout
        self.silenceTimeout = silenceTimeout
        self.peerTimeout = peerTimeout
        self.timeout = timeout
        self.maximumBodyBytes = maximumBodyBytes
    }
}

/// A complete answer, whatever its status.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: HTTPHeaders
    /// Decompressed.
    package var body: [UInt8]

    package init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The header fields of an answer in the order received, looked up without regard to case (RFC 9110 section 5.1).
package struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private struct Field: Sendable, Equatable {
        var name: String
        var value: String
    }

    private var fields: [Field] = []

    package init() {}

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    package mutating func append(_ name: String, _ value: String) {
        fields.append(Field(name: name.lowercased(), value: value))
    }

    /// The first field of that name.
    package subscript(name: String) -> String? {
        let name = name.lowercased()
        return fields.first { $0.name == name }?.value
    }
}

/// An exchange that brought no complete answer.
package struct HTTPError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// No connection: name not found, refused, unreachable.
        case connect
        case timeout
        /// No trusted connection: handshake or certificate.
        case tls
        /// Body or header larger than allowed.
        case tooLarge
        /// The connection ended before the answer did.
        case cut
        /// The task was cancelled, or the client closed.
        case cancelled
        case other
    }

    package var code: Code
    /// Method, address without secrets, and what went wrong.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
