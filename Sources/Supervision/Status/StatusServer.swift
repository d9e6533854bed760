internal import Glibc
internal import Processes

/// Answers on the local socket. It is driven by the supervisor's loop: it never waits for a client.
final class StatusServer {
    private static let maximumClients = 32
    private static let maximumRequest = 64 * 1024
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
    private let listener: Descriptor
    private var clients: [Client] = []

    /// - Throws: ``SupervisionError`` when the path cannot be listened at.
    init(path: String) throws {
        self.path = path
        listener = try UnixSocket.listen(at: path)
    }

    func close() {
        unlink(path)
        clients = []
    }

    var polled: [pollfd] {
        let accepts = clients.count < Self.maximumClients
        return [pollfd(fd: listener.number, events: accepts ? Int16(POLLIN) : 0, revents: 0)]
            + clients.map { client in
                let events = client.pending.isEmpty ? POLLIN : POLLOUT
                return pollfd(fd: client.descriptor.number, events: Int16(events), revents: 0)
            }
    }

    /// When the next silent client is let go.
    var nextDeadline: Duration? { clients.map(\.lastUse).min().map { $0 + Self.idle } }

    /// Serves what `poll` found, in the order of ``polled``; `answer` maps a request to its answer, both one line.
    func serve(_ polled: some Collection<pollfd>, at now: Duration, answer: ([UInt8]) -> [UInt8]) {
        for (index, entry) in polled.dropFirst().enumerated() where entry.revents != 0 {
            serve(&clients[index], at: now, answer: answer)
        }
        clients.removeAll { $0.finished || now - $0.lastUse >= Self.idle }
        guard let first = polled.first, first.revents != 0 else { return }
        while clients.count < Self.maximumClients, let descriptor = UnixSocket.accept(listener) {
            clients.append(Client(descriptor: descriptor, lastUse: now))
        }
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
