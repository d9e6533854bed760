import Foundation
import Synchronization

/// A server on loopback that answers raw bytes by a script, so that every fault of a network can be written down.
final class LoopbackServer: Sendable {
    struct Request: Sendable {
        /// `GET /path?query HTTP/1.1`
        var line: String
        var headers: [String: String]
        var body: [UInt8]
        /// Counts accepted connections from 0.
        var connection: Int
    }

    enum Step: Sendable {
        case bytes([UInt8])
        /// Sends nothing more and waits until the client goes away.
        case hold
        case close
    }

    enum Event: Sendable, Equatable {
        case request(Int)
        case clientClosed
    }

    typealias Script = @Sendable (_ request: Request, _ index: Int) -> [Step]

    let port: UInt16
    /// In the order they happen.
    let events: AsyncStream<Event>
    private let happened: AsyncStream<Event>.Continuation
    private let listener: Int32
    private let script: Script
    private let greeting: [UInt8]
    private let received = Mutex<[Request]>([])
    private let stopped = Mutex(false)

    var requests: [Request] { received.withLock { $0 } }
    func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    /// - Parameter greeting: sent to each client before it has said anything.
    init(greeting: String = "", _ script: @escaping Script) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        port = try Self.bindToLoopback(listener)
        self.script = script
        self.greeting = Array(greeting.utf8)
        (events, happened) = AsyncStream.makeStream()
        Thread { [self] in accept() }.start()
    }

    /// Refuses clients from now on; those being served end by themselves.
    func stop() {
        let isFirst = stopped.withLock { stopped in
            defer { stopped = true }
            return !stopped
        }
        // Wakes the accepting thread, which closes the descriptor: closed here, its number might be another's before
        // that thread looks at it again.
        if isFirst { shutdown(listener, Int32(SHUT_RDWR)) }
    }

    private static func bindToLoopback(_ listener: Int32) throws -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) | listen(listener, 64) | getsockname(listener, $0, &length)
            }
        }
        guard listener >= 0, result == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        return UInt16(bigEndian: address.sin_port)
    }

    private func accept() {
        defer { close(listener) }
        var count = 0
        while true {
            let connection = Foundation.accept(listener, nil, nil)
            guard connection >= 0 else { return }
            // Other tests start programs, and one that inherits a connection keeps it open: hence also the shutdown.
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            let number = count
            count += 1
            Thread { [self] in
                serve(connection, number)
                shutdown(connection, Int32(SHUT_RDWR))
                close(connection)
            }.start()
        }
    }

    private func serve(_ connection: Int32, _ number: Int) {
        var buffer: [UInt8] = []
        guard Self.sendAll(connection, greeting) else { return }
        while let request = Self.read(connection, &buffer, number) {
            let index = received.withLock { requests in
                requests.append(request)
                return requests.count - 1
            }
            happened.yield(.request(index))
            for step in script(request, index) {
                switch step {
                case .bytes(let bytes):
                    guard send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
                        return
                    }
                case .hold:
                    var byte: UInt8 = 0
                    while recv(connection, &byte, 1, 0) > 0 {}
                    happened.yield(.clientClosed)
                    return
                case .close: return
                }
            }
        }
    }

    private static func sendAll(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    private static func read(_ connection: Int32, _ buffer: inout [UInt8], _ number: Int) -> Request? {
        let end = Array("\r\n\r\n".utf8)
        var head = buffer.firstRange(of: end)
        while head == nil {
            guard receiveMore(connection, &buffer) else { return nil }
            head = buffer.firstRange(of: end)
        }
        let lines = String(decoding: buffer[..<head!.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            headers[line[..<colon].lowercased()] = value
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        let bodyEnd = head!.upperBound + length
        while buffer.count < bodyEnd {
            guard receiveMore(connection, &buffer) else { return nil }
        }
        let body = Array(buffer[head!.upperBound..<bodyEnd])
        buffer.removeFirst(bodyEnd)
        return Request(line: lines[0], headers: headers, body: body, connection: number)
    }

    private static func receiveMore(_ connection: Int32, _ buffer: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = recv(connection, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }
}

extension LoopbackServer.Step {
    static func text(_ text: String) -> Self { .bytes(Array(text.utf8)) }

    /// A whole answer with its length.
    static func answer(
        _ status: Int,
        _ body: String = "",
        type: String = "application/json",
        headers: [String: String] = [:]
    ) -> Self {
        var head = "HTTP/1.1 \(status) Some Reason\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        return .text(head + "\r\n" + body)
    }
}
