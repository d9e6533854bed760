internal import Glibc
internal import Processes

/// Asks a running supervisor.
package enum StatusClient {
    /// Answers larger than this are no answers of ours.
    private static let maximumAnswer = 16 << 20
    package static let timeout = Duration.seconds(5)

    /// Sends one JSON line, such as `{"type":"status"}`, and returns the one that comes back, without its newline.
    ///
    /// - Throws: ``SupervisionError``, with code `unavailable` when no supervisor answers in time.
    package static func request(
        socket path: String,
        _ request: String,
        timeout: Duration = timeout
    ) throws -> [UInt8] {
        let descriptor = try UnixSocket.connect(to: path, within: timeout)
        descriptor.setNonBlocking()
        let deadline = Clock.monotonic + timeout
        try send(Array(request.utf8) + [UInt8(ascii: "\n")], descriptor, deadline)
        var answer: [UInt8] = []
        while answer.count < maximumAnswer {
            switch descriptor.read(upTo: 64 << 10) {
            case .bytes(let bytes):
                answer += bytes
                if let end = answer.firstIndex(of: UInt8(ascii: "\n")) { return Array(answer[..<end]) }
            case .nothingNow: try wait(descriptor, POLLIN, deadline)
            case .ended: throw SupervisionError("the supervisor closed the connection", code: .unavailable)
            }
        }
        throw SupervisionError("the supervisor's answer is too long", code: .unavailable)
    }

    private static func send(_ bytes: [UInt8], _ descriptor: Descriptor, _ deadline: Duration) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch descriptor.write(rest) {
            case .wrote(let count): rest = rest.dropFirst(count)
            case .nothingNow: try wait(descriptor, POLLOUT, deadline)
            case .failed: throw SupervisionError("the supervisor closed the connection", code: .unavailable)
            }
        }
    }

    private static func wait(_ descriptor: Descriptor, _ events: Int32, _ deadline: Duration) throws {
        var polled = pollfd(fd: descriptor.number, events: Int16(events), revents: 0)
        let left = (deadline - Clock.monotonic).millisecondsRoundedUp
        guard left > 0, poll(&polled, 1, Int32(clamping: left)) > 0 || errno == EINTR else {
            throw SupervisionError("the supervisor does not answer", code: .unavailable)
        }
    }
}
