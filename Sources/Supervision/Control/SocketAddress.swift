internal import Glibc
internal import Processes

/// An internet address as the system calls want it.
struct SocketAddress: Sendable {
    let family: Int32
    private let bytes: [UInt8]

    /// The addresses to try for a host that needs no name server: an address, or `localhost`.
    ///
    /// - Throws: ``SupervisionError`` for any other name.
    static func candidates(host: String, port: Int) throws -> [SocketAddress] {
        guard let port = UInt16(exactly: port), port > 0 else {
            throw SupervisionError("a probe's port is 1 to 65535, not \(port)")
        }
        let hosts = host == "localhost" ? ["127.0.0.1", "::1"] : [host]
        let found = hosts.compactMap { ipv4($0, port) ?? ipv6($0, port) }
        guard !found.isEmpty else {
            throw SupervisionError("a probe's host is an address or 'localhost', not '\(host)'")
        }
        return found
    }

    /// Begins to connect without waiting. `nil` when that failed at once.
    func beginConnecting() -> Descriptor? {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let number = socket(family, type, 0)
        guard number >= 0 else { return nil }
        let descriptor = Descriptor(number)
        let result = bytes.withUnsafeBytes { raw in
            connect(number, raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count))
        }
        return result == 0 || errno == EINPROGRESS ? descriptor : nil
    }

    /// Whether a connection that was begun has been made, once the descriptor is writable.
    static func isConnected(_ descriptor: Descriptor) -> Bool {
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor.number, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0
    }

    private static func ipv4(_ host: String, _ port: UInt16) -> SocketAddress? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return nil }
        return SocketAddress(family: AF_INET, bytes: withUnsafeBytes(of: address) { Array($0) })
    }

    private static func ipv6(_ host: String, _ port: UInt16) -> SocketAddress? {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { return nil }
        return SocketAddress(family: AF_INET6, bytes: withUnsafeBytes(of: address) { Array($0) })
    }
}
