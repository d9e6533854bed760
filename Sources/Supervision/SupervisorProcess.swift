internal import Glibc
internal import Model
internal import Processes

/// Runs a tree: one loop on one thread that starts and reaps children, hears them, and answers who asks.
///
/// All judgement is ``TreeStateMachine``'s; here its actions are performed and the world is told back to it as events.
/// Forking and reaping happen on this one thread, so that no exit can be seen before its child is known, and so that
/// the children's parent-death signal fires only when the supervisor itself dies. It reaps every child of the
/// process: nothing else in it may start processes and wait for them.
package final class SupervisorProcess {
    var tree: TreeSpecification { didSet { if tree.log != oldValue.log { sink.follow(tree.log) } } }
    private let signals: Descriptor
    let sink: LogSink
    let logs: LogReader
    private let status: StatusServer
    var machine: TreeStateMachine
    let reloader: Reloader?
    var reloads = ReloadRecord()
    /// A tree that is being taken over, and the one that would stay were it refused.
    var pendingTree: TreeSpecification?
    /// The number of the reload that ``pendingTree`` comes from.
    var pendingNumber = 0
    var treeBefore: TreeSpecification
    private var processes: [ReplicaID: ChildProcess] = [:]
    private var probes = ProbeRunner()
    private var observations: [ReplicaID: ReplicaObservation] = [:]
    private var lateness = Lateness()
    /// A process that has ended is heard to the end of what it said, within reason: a descendant may go on.
    private static let lastHearings = 8
    private var exitCode: Int32?
    private var statusIsAway = false
    private var memoryKills = OutOfMemoryKills()
    private let usage: UsageMeter
    private var lock: DataFolderLock?
    private let logIsTerminal: Bool

    /// ``Signals/prepare()`` must have been called at the start of the process.
    ///
    /// - Parameters:
    ///   - source: where the tree's next specification comes from; without one it stays what it is.
    ///   - lock: of the data folder, held while this lives.
    /// - Throws: ``SupervisionError`` for a tree that cannot be run, and when the status socket cannot be opened.
    package init(_ tree: TreeSpecification, source: ReloadSource? = nil, lock: DataFolderLock? = nil) throws {
        try tree.validate()
        self.lock = lock
        logIsTerminal = isatty(tree.log.descriptor) == 1
        Spawner.raiseOpenFiles()
        self.tree = tree
        treeBefore = tree
        guard let signals = Signals.open() else { throw SupervisionError.system("cannot read signals") }
        self.signals = signals
        if getpid() != 1, !Reaper.adoptOrphans() {
            throw SupervisionError.system("cannot adopt orphans")
        }
        status = try StatusServer(path: tree.statusSocket)
        let logs: LogReader
        do {
            sink = try LogSink(tree.log)
            logs = try LogReader(sink: sink)
            usage = try UsageMeter()
        } catch {
            throw SupervisionError("the supervisor cannot run here: \(error)", code: .unavailable)
        }
        self.logs = logs
        reloader = source.map { Reloader($0, logs: logs, at: Clock.monotonic) }
        machine = TreeStateMachine(
            tree.children,
            stopTimeout: tree.stopTimeout,
            seed: UInt64.random(in: 0...UInt64.max)
        )
    }

    /// Starts the tree and returns once nothing of it is left.
    ///
    /// - Returns: the exit code for the process: 0 after a clean stop or when every child is done, 1 when every child
    ///   has ended and some failed, 75 when the stop had to be forced, 78 or 70 when a critical child failed for good
    ///   (78 when that was its exit code).
    package func run() -> Int32 {
        ProgramPages.giveBack()
        announce()
        handle(.begin)
        while exitCode == nil { turn() }
        return finish(exitCode!)
    }

    private func announce() {
        var fields: [String: LogField] = [
            "tree": .text(tree.name), "pid": .integer(Int64(getpid())), "generation": .integer(Int64(tree.generation)),
        ]
        if let degraded = tree.degraded { fields["degraded"] = .text(degraded) }
        sink.write(
            TreeLogLine(
                level: tree.degraded == nil ? .info : .warning,
                message: "supervisor started",
                fields: fields
            )
        )
    }

    private func finish(_ code: Int32) -> Int32 {
        // What the stop has left of its budget, within reason.
        let left = machine.treeStop.map { $0.killing ? .zero : $0.deadline - Clock.monotonic } ?? .seconds(2)
        let killed = AdoptedProcesses.endAll(within: max(.zero, min(left, .seconds(4))), signals: signals)
        if killed {
            sink.write(TreeLogLine(level: .warning, message: "processes that children left behind were killed"))
        }
        reloader?.close()
        status.close()
        // Whoever waits for this process does not wait for long: SIGKILL follows a few seconds after the time-out.
        let late = machine.treeStop?.killing ?? false
        logs.close(within: late ? .milliseconds(250) : LogReader.afterExit)
        sink.close(within: late ? .milliseconds(250) : .milliseconds(500))
        return killed && code == 0 ? ExitCode.forced : code
    }

    // MARK: The loop

    /// One turn: wait until something happens or is due, and tell the state machine.
    private func turn() {
        let controls = processes.values.filter { $0.control.descriptor != nil }.map(\.id)
        let connecting = probes.polled
        let before = Clock.monotonic
        var polled = [pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0)]
        polled += controls.map { id in
            let control = processes[id]!.control
            return pollfd(fd: control.descriptor!.number, events: control.events(at: before), revents: 0)
        }
        polled += connecting.map(\.entry)
        if machine.treeStop == nil { polled += reloader?.polled ?? [] }
        let firstStatus = polled.count
        polled += status.polled
        let limit = waitLimit(at: before)
        guard poll(&polled, nfds_t(polled.count), limit) >= 0 || errno == EINTR else { return }
        if lateness.turn(waitedFrom: before, atMost: limit, until: Clock.monotonic) { handle(.heldUp) }

        for (index, id) in controls.enumerated() where polled[1 + index].revents != 0 { hear(id) }
        let firstProbe = 1 + controls.count
        for (index, probe) in connecting.enumerated() where polled[firstProbe + index].revents != 0 {
            if let outcome = probes.answered(probe.id) { handle(.probed(outcome.id, healthy: outcome.healthy)) }
        }
        if polled[0].revents != 0 { readSignals() }
        let now = Clock.monotonic
        for outcome in probes.expire(at: now) { handle(.probed(outcome.id, healthy: outcome.healthy)) }
        checkGroups()
        if let due = machine.nextDeadline, due <= now { handle(.tick) }
        if machine.treeStop == nil { advanceReload(at: now) }
        keepStatusReachable(at: now)
        status.serve(polled.dropFirst(firstStatus), at: now, answer: answer)
    }

    /// In milliseconds, for `poll`.
    private func waitLimit(at now: Duration) -> Int32 {
        // The end of a group whose members have other parents is seen only by looking.
        let groups: Duration? = processes.values.contains(where: \.leaderReaped) ? now + .milliseconds(20) : nil
        let rests = processes.values.compactMap(\.control.restsUntil).filter { $0 > now }.min()
        let reload = machine.treeStop == nil ? reloader?.nextDeadline : nil
        let due = [machine.nextDeadline, probes.nextDeadline, status.nextDeadline, groups, rests, reload]
            .compactMap { $0 }.min()
        return due.map { Int32(clamping: max(0, ($0 - now).millisecondsRoundedUp)) } ?? -1
    }

    private func keepStatusReachable(at now: Duration) {
        switch status.restoreIfRemoved(at: now, holdFolder: holdDataFolder) {
        case nil: return
        case .restored:
            statusIsAway = false
            sink.write(TreeLogLine(level: .warning, message: "the status socket was removed; it is there again"))
        case .failed(let reason):
            if !statusIsAway {
                let message = "the status socket cannot be kept: nobody can ask this supervisor"
                sink.write(TreeLogLine(level: .error, message: message, fields: ["error": .text(reason)]))
            }
            statusIsAway = true
        }
    }

    private func holdDataFolder() throws {
        memoryKills.note()
        guard let lock, !lock.isInPlace else { return }
        self.lock = try lock.renewed()
        sink.write(TreeLogLine(level: .warning, message: "the lock of the data folder was removed; it is held again"))
    }

    /// SIGHUP asks for a reload; from a terminal that has gone it means what it means to every program there.
    private func hungUp() {
        guard machine.treeStop == nil else { return }
        var terminal = pollfd(fd: tree.log.descriptor, events: 0, revents: 0)
        if logIsTerminal, poll(&terminal, 1, 0) > 0, terminal.revents & Int16(POLLHUP) != 0 {
            return handle(.stopRequested)
        }
        let message = reloadNow() == nil ? "SIGHUP: there is nothing to reload" : "SIGHUP: reloading"
        sink.write(TreeLogLine(level: .info, message: message))
    }

    private func readSignals() {
        while true {
            switch Signals.next(from: signals) {
            case 0: return reap()
            case Signals.terminate, Signals.interrupt, Signals.quit: handle(.stopRequested)
            case Signals.hangUp: hungUp()
            default: break
            }
        }
    }

    // MARK: Children

    private func hear(_ id: ReplicaID) {
        guard var process = processes.removeValue(forKey: id) else { return }
        process.control.flush()
        let bad = process.control.badLines
        let messages = process.control.receive(at: Clock.monotonic)
        if bad == 0 && process.control.badLines > 0 {
            var fields: [String: LogField] = [:]
            if let line = process.control.firstBadLine { fields["line"] = .text(line) }
            sink.write(
                TreeLogLine(
                    level: .warning,
                    message: "wrote lines to its control channel that are no messages; they are counted",
                    replica: id,
                    fields: fields
                )
            )
        }
        observations[id, default: ReplicaObservation()].badLines += process.control.badLines - bad
        processes[id] = process
        for message in messages {
            observations[id, default: ReplicaObservation()].said(message, at: Clock.monotonic)
            handle(.said(id, message))
        }
        if process.control.descriptor == nil { handle(.hungUp(id)) }
    }

    /// Reaps all that ended, adopted orphans too, before judging any of it: a group is looked at only when its
    /// zombies are gone.
    private func reap() {
        var ended: [(pid: Int32, status: ExitStatus)] = []
        while case .ended(let pid, let status) = Reaper.reap() { ended.append((pid, ExitStatus(waitStatus: status))) }
        let leaders = Dictionary(
            processes.values.filter { !$0.leaderReaped }.map { ($0.pid, $0.id) },
            uniquingKeysWith: { first, _ in first }
        )
        for (pid, status) in ended {
            if let id = leaders[pid] {
                leaderEnded(id, status)
            } else if let outcome = probes.ended(pid: pid, status) {
                handle(.probed(outcome.id, healthy: outcome.healthy))
            } else {
                _ = reloader?.ended(pid: pid, status, at: Clock.monotonic)
            }
        }
    }

    private func leaderEnded(_ id: ReplicaID, _ status: ExitStatus) {
        // What it said last counts: it may have become ready a moment before.
        for _ in 0..<Self.lastHearings { hear(id) }
        guard var process = processes[id] else { return }
        process.leaderReaped = true
        let groupRemains = process.groupRemains
        processes[id] = groupRemains ? process : nil
        observations[id, default: ReplicaObservation()].lastExitAt = Clock.wall
        logs.processEnded(pid: process.pid)
        probes.cancel(id)
        let cause = status.signal == Signals.kill && memoryKills.haveGrown() ? "out of memory" : nil
        handle(.exited(id, status, groupRemains: groupRemains, cause: cause))
    }

    private func checkGroups() {
        for process in processes.values where process.leaderReaped && !process.groupRemains {
            processes[process.id] = nil
            handle(.groupGone(process.id))
        }
    }

    // MARK: Events in, actions out

    func handle(_ event: TreeEvent) {
        var actions = machine.handle(event, at: Clock.monotonic)[...]
        while let action = actions.popFirst() {
            guard let answer = perform(action) else { continue }
            actions += machine.handle(answer, at: Clock.monotonic)
        }
    }

    /// - Returns: what came of it, where that is known at once.
    private func perform(_ action: TreeAction) -> TreeEvent? {
        switch action {
        case .spawn(let id): return spawn(id)
        case .send(let id, let message): processes[id]?.control.send(message)
        case .signalGroup(let id, let signal): processes[id]?.signalGroup(signal)
        case .signalLeader(let id, let signal): processes[id]?.signalLeader(signal)
        case .probe(let id):
            guard let child = machine.replica(id)?.specification else { return nil }
            return probes.begin(id, of: child, at: Clock.monotonic).map { .probed($0.id, healthy: $0.healthy) }
        case .log(let line): sink.write(line)
        case .reloaded(let end): reloaded(end)
        case .end(let code): exitCode = code
        }
        return nil
    }

    private func spawn(_ id: ReplicaID) -> TreeEvent? {
        guard let child = machine.replica(id)?.specification else { return nil }
        do {
            let process = try ChildProcess.start(id, child, logs: logs)
            processes[id] = process
            observations[id, default: ReplicaObservation()].started(at: Clock.monotonic, on: Clock.wall)
            return .started(id, pid: process.pid)
        } catch {
            observations[id, default: ReplicaObservation()].lastExitAt = Clock.wall
            return .spawnFailed(id, code: error.code, reason: error.reason)
        }
    }

    // MARK: Status

    private func answer(_ request: [UInt8]) -> [UInt8] {
        switch OperatorRequest(request) {
        case .status: return report().json
        case .restart(let worker): return act(on: worker) { .restartRequested($0) }
        case .reload:
            guard machine.treeStop == nil else { return OperatorRequest.refusal("the tree is stopping") }
            return reloadNow().map { OperatorRequest.promise($0) }
                ?? OperatorRequest.refusal("this supervisor has no files to reload")
        case .reset(let worker): return act(on: worker) { .resetRequested($0) }
        case .refused(let reason): return OperatorRequest.refusal(reason)
        }
    }

    private func act(on worker: String, _ event: ([ReplicaID]) -> TreeEvent) -> [UInt8] {
        guard machine.treeStop == nil else { return OperatorRequest.refusal("the tree is stopping") }
        let ids = machine.replicas.map(\.id).filter { $0.child == worker || $0.description == worker }
        guard !ids.isEmpty else {
            return OperatorRequest.refusal("there is no worker '\(worker)'; 'chaffinch status' lists them")
        }
        // As they were before: whoever asked must tell the next incarnation from this one.
        let answer = OperatorRequest.acceptance(ids.compactMap { machine.replica($0) })
        handle(event(ids))
        return answer
    }

    private func report() -> StatusReport {
        var seen = observations
        let usage = usage.usage(of: machine.replicas.compactMap(\.pid))
        for replica in machine.replicas {
            var observed = seen[replica.id] ?? ReplicaObservation()
            let used = replica.pid.flatMap { usage[$0] }
            observed.memoryBytes = used?.memoryBytes
            observed.cpuSeconds = used?.cpuSeconds
            observed.log = logs.tail(replica.id)
            seen[replica.id] = observed
        }
        return StatusReport(
            specification: tree,
            machine: machine,
            observations: seen,
            pid: getpid(),
            droppedLogLines: sink.dropped,
            reload: reloader == nil ? nil : reloads,
            now: Clock.monotonic,
            wall: Clock.wall
        )
    }
}
