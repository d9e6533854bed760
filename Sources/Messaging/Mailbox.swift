import CRabbitMQ
import Foundation
import Synchronization

/// Commands for a connection's thread, which waits for its socket and for them in one poll.
final class Mailbox<Command: Sendable>: Sendable {
    private struct State {
        var commands: [Command] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    /// An eventfd: readable while there are commands.
    private let wakeUp: Int32

    init() {
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(wakeUp >= 0, "no file descriptor is left")
    }

    deinit {
        Foundation.close(wakeUp)
    }

    /// - Returns: false when the thread has ended and will never see the command.
    @discardableResult
    func send(_ command: Command) -> Bool {
        let (accepted, wasEmpty) = state.withLock { state -> (Bool, Bool) in
            guard !state.isClosed else { return (false, false) }
            state.commands.append(command)
            return (true, state.commands.count == 1)
        }
        if wasEmpty { eventfd_write(wakeUp, 1) }
        return accepted
    }

    func take() -> [Command] {
        var count: eventfd_t = 0
        eventfd_read(wakeUp, &count)
        return state.withLock { state in
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Refuses further commands, and returns what nobody took.
    func close() -> [Command] {
        state.withLock { state in
            state.isClosed = true
            defer { state.commands = [] }
            return state.commands
        }
    }

    struct Readiness {
        var canRead = false
        var canWrite = false
    }

    /// Waits until a command is there, the socket can be read (or written, if asked for), or the time is over.
    @discardableResult
    func wait(upTo limit: Duration, socket: Int32? = nil, orWritable: Bool = false) -> Readiness {
        var descriptors = [pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)]
        if let socket {
            let events = Int16(POLLIN) | (orWritable ? Int16(POLLOUT) : 0)
            descriptors.append(pollfd(fd: socket, events: events, revents: 0))
        }
        let (seconds, attoseconds) = limit.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        poll(&descriptors, nfds_t(descriptors.count), Int32(clamping: max(0, milliseconds)))
        guard descriptors.count > 1 else { return Readiness() }
        // An error or hang-up counts as readable: reading it says what happened.
        let seen = descriptors[1].revents
        return Readiness(canRead: seen & ~Int16(POLLOUT) != 0, canWrite: seen & Int16(POLLOUT) != 0)
    }
}

/// Whether a socket can be read and written at this moment.
func socketReadiness(_ socket: Int32) -> (canRead: Bool, canWrite: Bool) {
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN) | Int16(POLLOUT), revents: 0)
    poll(&descriptor, 1, 0)
    return (descriptor.revents & ~Int16(POLLOUT) != 0, descriptor.revents & Int16(POLLOUT) != 0)
}

/// Runs blocking work on a thread made for it.
func onOwnThread<Value: Sendable>(
    named name: String,
    _ work: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        startThread(named: name) { continuation.resume(with: Result { try work() }) }
    }
}

func startThread(named name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Thread { body() }
    thread.name = name
    thread.stackSize = 1 << 20
    thread.start()
}
