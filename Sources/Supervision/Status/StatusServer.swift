internal import Glibc
internal import Processes

/// Answers on the local socket. It is driven by the supervisor's loop: it never waits for a client.
final class StatusServer {
    /// One more, and the one that has been silent for the longest is let go for it: however many connect and say
    /// nothing, who asks is answered.
    private static let maximumClients = 32
    private static let maximumRequest = 64 * 1024
    private static let lookEvery = Duration.seconds(5)
    /// A client that says nothing is let go.
    private static let idle = Duration.seconds(10)

    private struct Client {
        var descriptor: Descriptor
        var splitter = LineSplitter(maximum: StatusServer.maximumRequest, overflow: .discard)
        var pending: [UInt8] = []
        var lastUse: Duration
        var finished = false
    }

    private let path: String
    private var listener: Descriptor
    private var identity: UnixSocket.Identity?
    private var nextLook = Duration.zero
    private var clients: [Client] = []

    /// - Throws: ``SupervisionError`` when the path cannot be listened at.
    init(path: String) throws {
        self.path = path
        listener = try UnixSocket.listen(at: path)
        identity = UnixSocket.identity(of: path)
    }

    enum Restoration {
        case restored
        /// Why it is not.
        case failed(String)
    }

    /// Cleaners of temporary folders, and people, remove sockets; a supervisor that nobody can ask is taken for dead.
    /// Looks now and then, and listens anew.
    ///
    /// - Parameter holdFolder: sees to it at each look that the folder is still ours: another supervisor's socket stays.
    /// - Returns: `nil` where nothing was amiss.
    func restoreIfRemoved(at now: Duration, holdFolder: () throws -> Void) -> Restoration? {
        guard now >= nextLook else { return nil }
        nextLook = now + Self.lookEvery
        do {
            try holdFolder()
        } catch {
            return .failed("\(error)")
        }
        guard UnixSocket.identity(of: path) != identity || identity == nil else { return nil }
        do {
            listener = try UnixSocket.listen(at: path)
            identity = UnixSocket.identity(of: path)
            return .restored
        } catch {
            return .failed("\(error)")
        }
    }

    func close() {
        // Another supervisor may have taken the folder.
        if UnixSocket.identity(of: path) == identity { unlink(path) }
        clients = []
    }

    var polled: [pollfd] {
        [pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)]
            + clients.map { client in
                let events = client.pending.isEmpty ? POLLIN : POLLOUT
                return pollfd(fd: client.descriptor.number, events: Int16(events), revents: 0)
            }
    }

    /// When the next silent client is let go, or the socket looked for.
    var nextDeadline: Duration? { min(nextLook, clients.map(\.lastUse).min().map { $0 + Self.idle } ?? nextLook) }

    /// Serves what `poll` found, in the order of ``polled``; `answer` maps a request to its answer, both one line.
    func serve(_ polled: some Collection<pollfd>, at now: Duration, answer: ([UInt8]) -> [UInt8]) {
        for (index, entry) in polled.dropFirst().enumerated() where entry.revents != 0 {
            serve(&clients[index], at: now, answer: answer)
        }
        clients.removeAll { $0.finished || now - $0.lastUse >= Self.idle }
        guard let first = polled.first, first.revents != 0 else { return }
        // No more in one turn than there is room for: those who connect without end must not hold up the tree.
        for _ in 0..<Self.maximumClients {
            guard let descriptor = UnixSocket.accept(listener) else { return }
            if clients.count == Self.maximumClients { letGoOfOne() }
            clients.append(Client(descriptor: descriptor, lastUse: now))
        }
    }

    /// Whoever waits for the rest of an answer comes last.
    private func letGoOfOne() {
        let silent = clients.indices.min { left, right in
            let (left, right) = (clients[left], clients[right])
            return (left.pending.isEmpty ? 0 : 1, left.lastUse) < (right.pending.isEmpty ? 0 : 1, right.lastUse)
        }
        if let silent { clients.remove(at: silent) }
    }

    private func serve(_ client: inout Client, at now: Duration, answer: ([UInt8]) -> [UInt8]) {
        client.lastUse = now
        if client.pending.isEmpty {
            switch client.descriptor.read(upTo: 16 << 10) {
            case .bytes(let bytes):
                var answers: [UInt8] = []
                client.splitter.append(bytes) { answers += answer($0) + [UInt8(ascii: "\n")] }
                client.pending = answers
            case .nothingNow: break
            case .ended: client.finished = true
            }
        }
        guard !client.pending.isEmpty else { return }
        switch client.descriptor.write(client.pending) {
        case .wrote(let count): client.pending.removeFirst(count)
        case .nothingNow: break
        case .failed: client.finished = true
        }
    }
}
