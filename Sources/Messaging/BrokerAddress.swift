import Foundation

/// Where a broker is and how to log in there: an AMQP URI.
///
/// Source: RabbitMQ, "RabbitMQ URI Specification" and "URI Query Parameters". Differing from it, a path of `/` alone
/// means the default vhost, as users expect, not the vhost with the empty name.
package struct BrokerAddress: Sendable, Equatable {
    package let host: String
    package let port: Int
    package let vhost: String
    package let usesTLS: Bool
    let user: String
    let password: String
    /// PEM files for TLS, from the query: `cacertfile`, `certfile`, `keyfile`.
    let authorityFile: String?
    let certificateFile: String?
    let keyFile: String?

    /// Reads `amqp://user:password@host:port/vhost` or `amqps://…`, where peer and host are always verified. Parts may
    /// be percent-encoded; without a user it is `guest`, as the broker's own default.
    ///
    /// - Throws: ``BrokerAddressError``, whose text never repeats the URL, since that holds a password.
    package init(_ url: String) throws {
        guard let scheme = url.range(of: "://") else { throw BrokerAddressError("it must begin with amqp://") }
        switch url[..<scheme.lowerBound].lowercased() {
        case "amqp": usesTLS = false
        case "amqps": usesTLS = true
        default: throw BrokerAddressError("its scheme must be amqp or amqps")
        }
        var rest = url[scheme.upperBound...]
        var query: Substring = ""
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        var path: Substring = ""
        if let slash = rest.firstIndex(of: "/") {
            path = rest[rest.index(after: slash)...]
            rest = rest[..<slash]
        }
        vhost = path.isEmpty ? "/" : try Self.decode(path, "vhost")

        var credentials: [Substring] = []
        if let at = rest.lastIndex(of: "@") {
            credentials = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            rest = rest[rest.index(after: at)...]
        }
        user = try credentials.first.map { try Self.decode($0, "user") } ?? "guest"
        password = credentials.count > 1 ? try Self.decode(credentials[1], "password") : "guest"

        (host, port) = try Self.hostAndPort(rest, defaultPort: usesTLS ? 5671 : 5672)
        let options = try Self.options(query)
        authorityFile = options["cacertfile"]
        certificateFile = options["certfile"]
        keyFile = options["keyfile"]
        guard (certificateFile == nil) == (keyFile == nil) else {
            throw BrokerAddressError("'certfile' and 'keyfile' go together")
        }
    }

    /// The address as logs may show it: without user and password.
    package var redacted: String {
        let name = host.contains(":") ? "[\(host)]" : host
        let path = vhost == "/" ? "" : vhost
        return "\(usesTLS ? "amqps" : "amqp")://\(name):\(port)/\(path)"
    }

    private static func hostAndPort(_ text: Substring, defaultPort: Int) throws -> (String, Int) {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw BrokerAddressError("the host lacks its ']'") }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw BrokerAddressError("':' must follow the host") }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        let name = try decode(host, "host")
        guard let port, !port.isEmpty else { return (name.isEmpty ? "localhost" : name, defaultPort) }
        guard let number = Int(port), (1...65_535).contains(number) else {
            throw BrokerAddressError("the port must be a number from 1 to 65535")
        }
        return (name.isEmpty ? "localhost" : name, number)
    }

    private static func options(_ query: Substring) throws -> [String: String] {
        var options: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard ["cacertfile", "certfile", "keyfile"].contains(name) else {
                throw BrokerAddressError("unknown parameter '\(name)'; known are cacertfile, certfile, keyfile")
            }
            options[name] = parts.count > 1 ? try decode(parts[1], name) : ""
        }
        return options
    }

    private static func decode(_ text: Substring, _ part: String) throws -> String {
        guard let decoded = text.removingPercentEncoding, !decoded.utf8.contains(0) else {
            throw BrokerAddressError("the \(part) is not percent-encoded UTF-8")
        }
        return decoded
    }
}

/// A broker URL that cannot be read.
package struct BrokerAddressError: Error, Equatable, CustomStringConvertible {
    package let problem: String

    init(_ problem: String) {
        self.problem = problem
    }

    package var description: String { "the broker URL is not usable: \(problem)" }
}
