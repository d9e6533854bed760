internal import Glibc
internal import Processes

/// Local sockets named by a path of any length: the kernel takes 107 bytes, so a longer path is reached through its
/// folder's descriptor in `/proc`.
enum UnixSocket {
    private static let maximumPathBytes = 107

    /// Listens; a socket that a dead supervisor left behind is replaced. Only the owner may connect.
    static func listen(at path: String) throws -> Descriptor {
        try removeStale(path)
        let descriptor = try open(nonBlocking: true)
        // Linux takes the mode of the file from the socket's own, so there is no moment at which others may connect.
        fchmod(descriptor.number, 0o600)
        try withAddress(path) { address, length in
            guard bind(descriptor.number, address, length) == 0 else {
                throw SupervisionError.system("cannot listen at \(path)")
            }
        }
        chmod(path, 0o600)
        guard Glibc.listen(descriptor.number, 16) == 0 else {
            throw SupervisionError.system("cannot listen at \(path)")
        }
        return descriptor
    }

    /// Which file a path leads to.
    struct Identity: Equatable {
        var device: UInt
        var inode: UInt
    }

    static func identity(of path: String) -> Identity? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return Identity(device: UInt(status.st_dev), inode: UInt(status.st_ino))
    }

    static func accept(_ listener: Descriptor) -> Descriptor? {
        let number = Glibc.accept(listener.number, nil, nil)
        guard number >= 0 else { return nil }
        let descriptor = Descriptor(number)
        descriptor.setCloseOnExec()
        descriptor.setNonBlocking()
        return descriptor
    }

    /// - Throws: ``SupervisionError`` with code `unavailable` when nobody listens there, or does not take the connection
    ///   in time.
    static func connect(to path: String, within limit: Duration) throws -> Descriptor {
        let descriptor = try open(nonBlocking: false)
        // A listener that is stopped lets connections queue up, and then connecting waits.
        let (seconds, attoseconds) = limit.components
        var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        setsockopt(descriptor.number, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        try withAddress(path) { address, length in
            guard Glibc.connect(descriptor.number, address, length) != 0 else { return }
            if errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR {
                throw SupervisionError("no supervisor answers at \(path)", code: .unavailable)
            }
            if errno == EAGAIN { throw SupervisionError("the supervisor does not answer", code: .unavailable) }
            throw SupervisionError.system("cannot reach the supervisor at \(path)")
        }
        return descriptor
    }

    /// Two connected ends that no child inherits by itself; ours does not block.
    static func pair() throws -> (ours: Descriptor, theirs: Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw SupervisionError.system("no local socket")
        }
        let (ours, theirs) = (Descriptor(ends[0]), Descriptor(ends[1]))
        ours.setNonBlocking()
        return (ours, theirs)
    }

    private static func open(nonBlocking: Bool) throws -> Descriptor {
        let flags = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | (nonBlocking ? SOCK_NONBLOCK.rawValue : 0)
        let number = socket(AF_UNIX, Int32(flags), 0)
        guard number >= 0 else { throw SupervisionError.system("no local socket") }
        return Descriptor(number)
    }

    private static func removeStale(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SupervisionError("\(path) is in the way: it is not a socket", code: .system)
        }
        unlink(path)
    }

    private static func withAddress(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void
    ) throws {
        guard path.utf8.count > maximumPathBytes else { return try withShortAddress(path, body) }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let number = Glibc.open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            let code: SupervisionError.Code = errno == ENOENT ? .unavailable : .system
            throw SupervisionError("cannot open \(folder): \(String(cString: strerror(errno)))", code: code)
        }
        let held = Descriptor(number)
        try withShortAddress("/proc/self/fd/\(held.number)/\(name)", body)
        withExtendedLifetime(held) {}
    }

    private static func withShortAddress(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void
    ) throws {
        guard path.utf8.count <= maximumPathBytes else {
            throw SupervisionError("the name of the socket \(path) is too long", code: .system)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try withUnsafePointer(to: address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
