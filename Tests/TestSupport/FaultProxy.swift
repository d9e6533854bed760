import Foundation
import Glibc
import Synchronization

/// A TCP proxy on loopback that can do to a connection what networks do: be slow, lose the end of it, swallow it.
///
/// It can also watch what clients send, so that a test may act at an exact moment, such as before a COMMIT arrives.
package final class FaultProxy: Sendable {
    package enum Fault: Sendable, Equatable {
        case none
        /// Nothing is forwarded any more, nothing is closed.
        case blackHole
        /// The same, and what clients send is not even acknowledged by the kernel here, as where a cable is cut. It can
        /// not be seen then that a client gives up.
        case lostPackets
        /// Each piece is held back for so long.
        case latency(Duration)
        /// Sixteen bytes at a time, with so long a pause after each.
        case drip(Duration)
        /// Every connection ends after so many bytes in either direction, in the middle of whatever that is.
        case cut(afterBytes: Int)
        /// Connections are refused, and those that are open end.
        case down
    }

    /// What a watcher sees of a connection.
    package final class Connection: Sendable {
        package let number: Int
        private let start = Mutex<[UInt8]>([])

        init(number: Int) {
            self.number = number
        }

        /// The first bytes the client sent, by which it can be told.
        package var opening: String { start.withLock { String(decoding: $0, as: UTF8.self) } }

        func note(_ bytes: [UInt8]) {
            start.withLock { if $0.count < 8_192 { $0 += bytes.prefix(8_192 - $0.count) } }
        }

        /// The names that were last looked for, and the one it bears.
        private let match = Mutex<(names: [String], found: String?)>(([], nil))

        /// Which of these names it gave when it opened. It may not have said so yet.
        func name(among names: [String]) -> String? {
            match.withLock { match in
                if match.names != names || match.found == nil {
                    match = (names, names.first { opening.contains($0) })
                }
                return match.found
            }
        }
    }

    /// - Returns: whether the bytes are forwarded; if not, nothing more of that connection ever is.
    package typealias Watcher = @Sendable (Connection, [UInt8]) -> Bool

    private struct State {
        var fault = Fault.none
        /// Whose connections it befalls; empty: everybody's.
        var victims: [String] = []
        var target: UInt16
        var watcher: Watcher?
        var connections = 0
        var givenUp: [String: Int] = [:]
        var strikes = 0
        var isStopped = false
    }

    package let port: UInt16
    private let listener: Int32
    private let state: Mutex<State>

    /// - Parameter target: the port on loopback that connections go to.
    package init(to target: UInt16) throws {
        state = Mutex(State(target: target))
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 128) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else { throw TimedOut(what: "the proxy cannot listen") }
        port = UInt16(bigEndian: address.sin_port)
        Thread { [self] in accept() }.start()
    }

    /// - Parameter victims: what the opening of a connection must contain for the fault to befall it, such as
    ///   `parse/1`; none: all connections. Until a client has named itself, it is let through.
    package func set(_ fault: Fault, on victims: [String] = []) {
        state.withLock {
            $0.fault = fault
            $0.victims = victims
        }
    }

    /// Connections that their clients closed while a black hole swallowed them.
    ///
    /// - Parameter victim: as it was named to ``set(_:on:)``; empty where nobody was.
    package func givenUp(by victim: String) -> Int { state.withLock { $0.givenUp[victim, default: 0] } }

    /// How often a fault did something: pieces held back or swallowed, connections cut or refused.
    package var strikes: Int { state.withLock { $0.strikes } }

    private func strike() { state.withLock { $0.strikes += 1 } }

    /// The fault that befalls a connection, and under which name.
    private func fault(of connection: Connection) -> (Fault, victim: String) {
        let (fault, victims) = state.withLock { ($0.fault, $0.victims) }
        if fault == .none || victims.isEmpty { return (fault, "") }
        return connection.name(among: victims).map { (fault, $0) } ?? (.none, "")
    }

    package func retarget(to port: UInt16) { state.withLock { $0.target = port } }
    package func watch(_ watcher: Watcher?) { state.withLock { $0.watcher = watcher } }

    /// Ends everything; the proxy cannot be used again.
    package func stop() {
        state.withLock {
            $0.isStopped = true
            $0.fault = .down
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return address
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            if client >= 0 { _ = fcntl(client, F_SETFD, FD_CLOEXEC) }
            let (isStopped, isDown, target, number) = state.withLock { state in
                state.connections += 1
                return (
                    state.isStopped, state.fault == .down && state.victims.isEmpty, state.target, state.connections
                )
            }
            guard !isStopped else {
                if client >= 0 { close(client) }
                close(listener)
                return
            }
            guard client >= 0 else { continue }
            if isDown { strike() }
            guard !isDown, let server = Self.connected(to: target) else {
                close(client)
                continue
            }
            let pair = SocketPair(client: client, server: server)
            let connection = Connection(number: number)
            Thread { [self] in pump(pair, pair.client, pair.server, connection, isRequest: true) }.start()
            Thread { [self] in pump(pair, pair.server, pair.client, connection, isRequest: false) }.start()
        }
    }

    private static func connected(to port: UInt16) -> Int32? {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return server }
        close(server)
        return nil
    }

    /// One direction, until either side ends.
    ///
    /// - Parameter isRequest: whether it is the way from the client.
    private func pump(
        _ pair: SocketPair,
        _ source: Int32,
        _ sink: Int32,
        _ connection: Connection,
        isRequest: Bool
    ) {
        defer { pair.end() }
        var isDeaf = false
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        var forwarded = 0
        while true {
            let (fault, victim) = fault(of: connection)
            if fault == .down { return strike() }
            if isRequest, isDeaf != (fault == .lostPackets) {
                isDeaf.toggle()
                Self.set(source, deaf: isDeaf)
                if isDeaf { strike() }
            }
            if fault == .lostPackets {
                usleep(20_000)
                continue
            }
            if fault == .blackHole {
                guard Self.isClosed(source), isRequest else { continue }
                state.withLock { $0.givenUp[victim, default: 0] += 1 }
                return strike()
            }
            var waiting = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 50) != 0 else { continue }
            let count = read(source, &buffer, buffer.count)
            guard count > 0 else { return }
            var bytes = Array(buffer[..<count])
            if isRequest {
                connection.note(bytes)
                if let watcher = state.withLock({ $0.watcher }), !watcher(connection, bytes) { return }
            }
            if case .cut(let limit) = fault, forwarded + bytes.count > limit {
                bytes = Array(bytes.prefix(max(0, limit - forwarded)))
                _ = forward(bytes, to: sink, fault)
                return strike()
            }
            forwarded += bytes.count
            switch fault {
            case .latency, .drip: strike()
            default: break
            }
            guard forward(bytes, to: sink, fault) else { return }
        }
    }

    /// By a socket filter (Linux, `socket(7)`) of one instruction: keep nothing of any packet.
    private static func set(_ socket: Int32, deaf isDeaf: Bool) {
        guard isDeaf else {
            var unused: Int32 = 0
            setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &unused, socklen_t(MemoryLayout<Int32>.size))
            return
        }
        // `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }` with the code BPF_RET.
        var instruction: [UInt8] = [0x06, 0, 0, 0, 0, 0, 0, 0]
        instruction.withUnsafeMutableBytes { bytes in
            // `struct sock_fprog { unsigned short len; struct sock_filter *filter; }`
            var program = (length: UInt16(1), filter: bytes.baseAddress)
            let size = socklen_t(MemoryLayout.size(ofValue: program))
            setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, size)
        }
    }

    /// Whether the other side has closed its end; waits a little.
    private static func isClosed(_ socket: Int32) -> Bool {
        // Asked for nothing else: what lies there unread must not wake it.
        let hangup = Int16(0x2000)
        var waiting = pollfd(fd: socket, events: hangup, revents: 0)
        return poll(&waiting, 1, 20) > 0 && waiting.revents & (hangup | Int16(POLLHUP | POLLERR)) != 0
    }

    private func forward(_ bytes: [UInt8], to sink: Int32, _ fault: Fault) -> Bool {
        if case .latency(let time) = fault { usleep(time.microseconds) }
        var rest = bytes[...]
        while !rest.isEmpty {
            var size = rest.count
            if case .drip(let pause) = fault, state.withLock({ $0.fault == fault }) {
                size = min(16, size)
                usleep(pause.microseconds)
            }
            let sent = rest.prefix(size).withUnsafeBytes { send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }
}

/// Two sockets that two threads share; the second to leave closes them.
private final class SocketPair: Sendable {
    let client: Int32
    let server: Int32
    private let users = Atomic(2)

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    func end() {
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
        if users.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
            close(client)
            close(server)
        }
    }
}

extension Duration {
    fileprivate var microseconds: UInt32 {
        UInt32(clamping: components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000)
    }
}
