internal import Model

/// What the supervisor saw of one replica besides what the state machine knows.
struct ReplicaObservation: Sendable {
    var startedAt: Timestamp?
    var lastExitAt: Timestamp?
    var badLines = 0
    var memoryBytes: Int64?
    var cpuSeconds: Double?
    var log: [String] = []
    /// By the monotonic clock.
    var started: Duration?
    /// When its last processes started, as far back as anybody asks.
    private(set) var recentStarts: [Duration] = []
    private(set) var counters = RateMeter()
    private(set) var work = RateMeter()

    /// A process without a back-off may start so often that nobody wants to know all times.
    private static let startsKept = 1000

    mutating func started(at now: Duration, on wall: Timestamp) {
        startedAt = wall
        started = now
        if recentStarts.count == Self.startsKept { recentStarts.removeFirst() }
        recentStarts.append(now)
        counters.start(at: now)
        work.start(at: now)
    }

    mutating func said(_ message: ChildMessage, at now: Duration) {
        switch message {
        case .stats(let counts): counters.add(counts, at: now)
        case .heartbeat(_, let progress, _, _): work.add(["progress": Int64(clamping: progress)], at: now)
        default: break
        }
    }
}

/// The answer to `{"type":"status"}`, as SUPERVISION.md's contract has it. Additions to it: the tree's `degraded`, `pid`,
/// `log_lines_dropped` and `reload`, and of each worker all that follows `rules_generation`.
struct StatusReport {
    var specification: TreeSpecification
    var machine: TreeStateMachine
    var observations: [ReplicaID: ReplicaObservation]
    var pid: Int32
    var droppedLogLines: Int
    /// `nil` where nothing is reloaded.
    var reload: ReloadRecord?
    /// By the monotonic clock and by the wall's.
    var now: Duration
    var wall: Timestamp

    var json: [UInt8] {
        var writer = JSONWriter(reserving: 4096)
        writer.object { writer in
            writer.member("name", specification.name)
            writer.member("state", machine.state(degraded: specification.degraded != nil).rawValue)
            writer.key("generation")
            writer.value(specification.generation)
            writer.key("degraded")
            writer.value(specification.degraded)
            writer.key("pid")
            writer.value(pid)
            writer.key("log_lines_dropped")
            writer.value(droppedLogLines)
            if let reload { reload.write(to: &writer) }
            writer.key("workers")
            writer.array { writer in
                for replica in machine.replicas { worker(replica, &writer) }
            }
        }
        return writer.bytes
    }

    private func worker(_ replica: Replica, _ writer: inout JSONWriter) {
        let observed = observations[replica.id] ?? ReplicaObservation()
        writer.object { writer in
            writer.member("name", replica.id.child)
            writer.key("replica")
            writer.value(replica.id.index)
            writer.member("state", state(replica).rawValue)
            writer.key("pid")
            writer.optional(replica.pid)
            writer.key("ready")
            writer.value(replica.countsAsReady && machine.treeStop == nil)
            writer.key("restarts")
            writer.value(max(0, replica.starts - 1))
            writer.key("started_at")
            writer.value(replica.pid == nil ? nil : observed.startedAt?.iso8601)
            writer.key("breaker")
            breaker(replica, &writer)
            writer.key("last_exit")
            lastExit(replica, observed, &writer)
            writer.key("heartbeat_age")
            writer.optional(replica.lastHeartbeat.map { (now - $0).seconds })
            writer.key("memory_bytes")
            writer.optional(observed.memoryBytes)
            writer.key("cpu_seconds")
            writer.optional(observed.cpuSeconds)
            writer.key("rules_generation")
            writer.optional(replica.rulesGeneration)
            additions(replica, observed, &writer)
        }
    }

    private func breaker(_ replica: Replica, _ writer: inout JSONWriter) {
        writer.object { writer in
            var until: Duration?
            switch replica.breaker?.state {
            case nil: writer.member("state", "off")
            case .closed: writer.member("state", "closed")
            case .halfOpen: writer.member("state", "half_open")
            case .open(let end):
                writer.member("state", "open")
                until = end
            }
            writer.key("failures")
            writer.value(replica.breaker?.failures(at: now) ?? replica.failuresInARow)
            writer.key("until")
            writer.value(until.map { onTheWall($0).iso8601 })
        }
    }

    private func onTheWall(_ time: Duration) -> Timestamp {
        Timestamp(microseconds: wall.microseconds + (time - now).millisecondsRoundedUp * 1000)
    }

    private func lastExit(_ replica: Replica, _ observed: ReplicaObservation, _ writer: inout JSONWriter) {
        guard let exit = replica.lastExit else { return writer.null() }
        writer.object { writer in
            writer.key("code")
            writer.value(exit.code)
            writer.key("signal")
            writer.optional(exit.signal)
            writer.key("at")
            writer.value(observed.lastExitAt?.iso8601)
            writer.member("reason", exit.reason)
        }
    }

    private func additions(_ replica: Replica, _ observed: ReplicaObservation, _ writer: inout JSONWriter) {
        let hasProcess = replica.pid != nil
        writer.key("uptime")
        writer.optional(hasProcess ? observed.started.map { (now - $0).seconds } : nil)
        writer.key("restarts_in_window")
        writer.value(restartsInWindow(replica, observed))
        writer.key("next_start_in")
        writer.optional(nextStart(replica).map { max(0, ($0 - now).seconds) })
        writer.key("progress")
        writer.optional(replica.progress)
        writer.key("work_rate")
        writer.optional(hasProcess ? observed.work.rates(at: now)["progress"] : nil)
        writer.key("backlog")
        writer.optional(replica.backlog)
        writer.key("waiting_for")
        writer.value(replica.waitingFor)
        writer.key("control_errors")
        writer.value(observed.badLines)
        writer.key("stats")
        writer.object { writer in
            for (name, count) in replica.stats.sorted(by: { $0.key < $1.key }) {
                writer.key(name)
                writer.value(count)
            }
        }
        writer.key("rates")
        writer.object { writer in
            for (name, rate) in hasProcess ? observed.counters.rates(at: now).sorted(by: { $0.key < $1.key }) : [] {
                writer.key(name)
                writer.optional(rate)
            }
        }
        writer.key("services")
        writer.object { writer in
            for (name, state) in replica.services.sorted(by: { $0.key < $1.key }) { writer.member(name, state) }
        }
        writer.key("log")
        writer.array { writer in
            for line in observed.log { writer.value(line) }
        }
    }

    private func state(_ replica: Replica) -> ReplicaState { machine.state(of: replica) }

    /// Within the window of its breaker; every start but the very first is a restart.
    private func restartsInWindow(_ replica: Replica, _ observed: ReplicaObservation) -> Int {
        let window = replica.specification.breaker?.window ?? Breaker.Settings().window
        let starts = observed.recentStarts.count { now - $0 < window }
        return min(starts, max(0, replica.starts - 1))
    }

    private func nextStart(_ replica: Replica) -> Duration? {
        switch replica.phase {
        case .backoff(let until), .open(let until): until
        default: nil
        }
    }
}

/// A worker's state as the status shows it.
enum ReplicaState: String, Sendable, CaseIterable {
    case waiting, starting, ready, backoff, open
    case halfOpen = "half_open"
    case draining, stopped, failed
}

/// The tree's state as the status shows it.
enum TreeState: String, Sendable {
    case starting, ready, degraded, draining
}

extension TreeStateMachine {
    /// A job that is done counts as ready until the tree stops. A child is half open until it has been ready for as
    /// long as its breaker wants; whether it is ready stands beside the state.
    func state(of replica: Replica) -> ReplicaState {
        let isProbe = replica.breaker?.state == .halfOpen
        return switch replica.phase {
        case .waiting: isProbe ? .halfOpen : .waiting
        case .spawning: isProbe ? .halfOpen : .starting
        case .running: isProbe ? .halfOpen : replica.isReady ? .ready : .starting
        case .stopping, .clearing: .draining
        case .backoff: .backoff
        case .open: .open
        case .ended(success: false): .failed
        case .ended(success: true):
            children[replica.position].kind == .job && treeStop == nil ? .ready : .stopped
        }
    }

    func state(degraded: Bool) -> TreeState {
        if treeStop != nil { return .draining }
        if degraded || replicas.contains(where: \.isAmiss) { return .degraded }
        if replicas.allSatisfy(\.countsAsReady) { return .ready }
        return hasBeenReady ? .degraded : .starting
    }
}

extension Replica {
    fileprivate var isAmiss: Bool {
        switch phase {
        case .backoff, .open: true
        default: hasFailed
        }
    }
}

extension JSONWriter {
    fileprivate mutating func optional(_ integer: (some BinaryInteger)?) {
        if let integer { value(integer) } else { null() }
    }

    /// Three decimals are enough for seconds.
    fileprivate mutating func optional(_ seconds: Double?) {
        guard let seconds, seconds.isFinite else { return null() }
        raw("\((seconds * 1000).rounded() / 1000)".utf8)
    }
}
