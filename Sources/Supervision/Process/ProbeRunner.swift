internal import Glibc
internal import Processes

/// Runs the probes that the state machine orders, at most one for each replica at a time. It never waits: the
/// supervisor's loop polls its sockets and tells it which processes ended.
struct ProbeRunner {
    typealias Outcome = (id: ReplicaID, healthy: Bool)

    private enum Attempt {
        case connecting(Descriptor, others: [SocketAddress])
        case running(pid: Int32)
    }

    private struct Inflight {
        var attempt: Attempt
        var deadline: Duration
    }

    private var inflight: [ReplicaID: Inflight] = [:]

    var nextDeadline: Duration? { inflight.values.map(\.deadline).min() }

    /// - Returns: the outcome where it is known at once.
    mutating func begin(_ id: ReplicaID, of child: ChildSpecification, at now: Duration) -> Outcome? {
        guard let probe = child.probe else { return nil }
        let deadline = now + probe.timeout
        switch probe.check {
        case .tcp(let host, let port):
            let addresses = (try? SocketAddress.candidates(host: host, port: port)) ?? []
            return connect(id, addresses, deadline)
        case .exec(let command):
            let request = SpawnRequest(
                command: command,
                environment: child.environment,
                workingDirectory: child.workingDirectory,
                parentDeathSignal: Signals.kill
            )
            guard let process = try? Spawner.spawn(request) else { return (id, false) }
            inflight[id] = Inflight(attempt: .running(pid: process.pid), deadline: deadline)
            return nil
        }
    }

    /// Sockets that wait for their connection, with whose they are.
    var polled: [(id: ReplicaID, entry: pollfd)] {
        inflight.compactMap { id, probe in
            guard case .connecting(let descriptor, _) = probe.attempt else { return nil }
            return (id, pollfd(fd: descriptor.number, events: Int16(POLLOUT), revents: 0))
        }
    }

    /// A polled socket has its answer.
    mutating func answered(_ id: ReplicaID) -> Outcome? {
        guard let probe = inflight[id], case .connecting(let descriptor, let others) = probe.attempt else { return nil }
        inflight[id] = nil
        if SocketAddress.isConnected(descriptor) { return (id, true) }
        return connect(id, others, probe.deadline)
    }

    /// A process ended that is no child's leader; `nil` when it was no probe either.
    mutating func ended(pid: Int32, _ status: ExitStatus) -> Outcome? {
        let owner = inflight.first { entry in
            if case .running(pid) = entry.value.attempt { true } else { false }
        }
        guard let id = owner?.key else { return nil }
        inflight[id] = nil
        // What it left behind in its group has no purpose any more.
        Glibc.kill(-pid, SIGKILL)
        return (id, status == .exited(0))
    }

    /// Those that took too long have failed.
    mutating func expire(at now: Duration) -> [Outcome] {
        let late = inflight.filter { $0.value.deadline <= now }.keys
        for id in late { cancel(id) }
        return late.map { ($0, false) }
    }

    mutating func cancel(_ id: ReplicaID) {
        // A killed probe is reaped like any orphan.
        if case .running(let pid)? = inflight.removeValue(forKey: id)?.attempt { Glibc.kill(-pid, SIGKILL) }
    }

    private mutating func connect(_ id: ReplicaID, _ addresses: [SocketAddress], _ deadline: Duration) -> Outcome? {
        for (index, address) in addresses.enumerated() {
            guard let descriptor = address.beginConnecting() else { continue }
            let others = Array(addresses[(index + 1)...])
            inflight[id] = Inflight(attempt: .connecting(descriptor, others: others), deadline: deadline)
            return nil
        }
        return (id, false)
    }
}
