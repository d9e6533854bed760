internal import Model

/// Starting, becoming ready, and what a process says meanwhile.
extension TreeStateMachine {
    /// A command with neither probe nor `hello` is ready once it has lived so long.
    static let readyByAge = Duration.seconds(1)
    /// A child may name so many services; what it says of more is not kept.
    static let mostServices = 64

    mutating func startWhatMay(_ now: Duration) {
        for position in graph.startOrder {
            for index in members[position] where replicas[index].phase == .waiting && mayStart(index) {
                replicas[index].passedGate = true
                replicas[index].phase = .spawning
                replicas[index].starts += 1
                act(.spawn(replicas[index].id))
            }
        }
    }

    private func mayStart(_ index: Int) -> Bool {
        let child = specification(index)
        // With `propagate` the dependants must have left before it returns.
        if child.propagate,
            dependantReplicas(of: replicas[index].position).contains(where: { replicas[$0].leavesForKnockOn })
        {
            return false
        }
        if replicas[index].passedGate { return true }
        return dependenciesHaveTakenOver(replicas[index].position)
            && graph.dependencies[replicas[index].position].allSatisfy { dependency in
                let condition = child.dependsOn[children[dependency].name] ?? .ready
                return replicas(of: dependency).allSatisfy { $0.isLeaving || $0.satisfies(condition) }
            }
    }

    mutating func started(_ index: Int, pid: Int32, _ now: Duration) {
        guard replicas[index].phase == .spawning else { return }
        let child = specification(index)
        replicas[index].phase = .running
        replicas[index].pid = pid
        replicas[index].startDeadline = now + child.startTimeout
        if child.kind == .command {
            if child.probe != nil {
                replicas[index].probing.nextAt = now + .milliseconds(50)
            } else {
                replicas[index].readyByAgeAt = now + Self.readyByAge
            }
        }
        log(.info, "started", index)
        if let purpose = replicas[index].stopOnceStarted { beginStop(index, purpose, now) }
    }

    mutating func spawnFailed(_ index: Int, code: Int32, reason: String, _ now: Duration) {
        guard replicas[index].phase == .spawning else { return }
        replicas[index].lastExit = Replica.LastExit(code: code, signal: nil, reason: reason)
        if replicas[index].stopOnceStarted != nil {
            afterStop(index, replicas[index].stopOnceStarted!, now)
        } else {
            afterUnwantedEnd(index, now)
        }
    }

    mutating func said(_ index: Int, _ message: ChildMessage, _ now: Duration) {
        guard replicas[index].phase == .running || replicas[index].phase == .stopping else { return }
        switch message {
        case .hello:
            replicas[index].speaks = true
            replicas[index].readyByAgeAt = nil
            replicas[index].probing.nextAt = nil
        case .ready:
            replicas[index].speaks = true
            if specification(index).kind == .job {
                // A job is ready when it is done; saying so earlier tells that it is well and at work.
                replicas[index].startDeadline = nil
            } else {
                becameReady(index, now)
            }
        case .heartbeat(_, let progress, let backlog, let waiting):
            replicas[index].lastHeartbeat = now
            replicas[index].backlog = backlog
            replicas[index].waitingFor = waiting
            expectHeartbeat(index, now)
            expectProgress(index, progress, now)
        case .extend(let milliseconds): extend(index, by: .milliseconds(milliseconds), now)
        case .draining: log(.debug, "is draining", index)
        case .stats(let counters): replicas[index].stats = counters
        case .service(let name, let state):
            let known = replicas[index].services
            if known[name] != nil || known.count < Self.mostServices { replicas[index].services[name] = state }
        case .generation(let rules, let ok, let error):
            if ok { replicas[index].rulesGeneration = rules }
            answered(index, generation: rules, ok: ok, now)
            if let error {
                log(.warning, "refused a generation", index, ["rules": .integer(rules), "error": .text(error)])
            }
        }
    }

    private mutating func extend(_ index: Int, by time: Duration, _ now: Duration) {
        switch replicas[index].phase {
        case .running:
            replicas[index].startDeadline = replicas[index].startDeadline.map { max($0, now + time) }
            replicas[index].silentAt = replicas[index].silentAt.map { max($0, now + time) }
            replicas[index].stuckAt = replicas[index].stuckAt.map { max($0, now + time) }
            if let due = replicas[index].answerDueAt {
                replicas[index].change = .reloading(until: max(due, now + time))
            }
        case .stopping:
            // Within what the stop may take as a whole.
            guard let stop = replicas[index].stop, let due = stop.terminateAt else { return }
            replicas[index].stop?.terminateAt = min(max(due, now + time), stop.killAt)
        default: break
        }
    }

    mutating func probed(_ index: Int, healthy: Bool, _ now: Duration) {
        guard replicas[index].phase == .running, !replicas[index].speaks, let probe = specification(index).probe
        else { return }
        if healthy {
            replicas[index].probing.successesInARow += 1
            replicas[index].probing.failuresInARow = 0
            if !replicas[index].isReady && replicas[index].probing.successesInARow >= probe.successes {
                becameReady(index, now)
            }
        } else {
            replicas[index].probing.successesInARow = 0
            replicas[index].probing.failuresInARow += 1
            if replicas[index].isReady && replicas[index].probing.failuresInARow >= probe.failures {
                replicas[index].isReady = false
                replicas[index].readySince = nil
                replicas[index].stableAt = nil
                log(.warning, "is not ready any more: its probe fails", index)
            }
        }
        replicas[index].probing.nextAt = now + (replicas[index].hasBeenReady ? probe.every : probe.everyAtStart)
    }

    mutating func runningTimePassed(_ index: Int, _ now: Duration) {
        if let due = replicas[index].readyByAgeAt, due <= now { becameReady(index, now) }
        if let due = replicas[index].probing.nextAt, due <= now {
            replicas[index].probing.nextAt = nil
            act(.probe(replicas[index].id))
        }
        if !replicas[index].isReady, let deadline = replicas[index].startDeadline, deadline <= now {
            log(.error, "was not ready in time; it is ended and tried again", index)
            beginStop(index, .startTimeout, now)
        }
        if let due = replicas[index].stableAt, due <= now { wasStable(index) }
        if let due = replicas[index].answerDueAt, due <= now { gaveNoAnswer(index) }
        if let due = replicas[index].silentAt, due <= now, replicas[index].phase == .running { endSilent(index, now) }
        if let due = replicas[index].stuckAt, due <= now, replicas[index].phase == .running { endStuck(index, now) }
    }

    private mutating func becameReady(_ index: Int, _ now: Duration) {
        guard replicas[index].phase == .running, !replicas[index].isReady else { return }
        replicas[index].isReady = true
        replicas[index].readySince = now
        replicas[index].hasBeenReady = true
        replicas[index].startDeadline = nil
        replicas[index].readyByAgeAt = nil
        replicas[index].stableAt = specification(index).breaker.map { now + $0.stable }
        expectHeartbeat(index, now)
        tookOver(index)
        log(.info, "is ready", index)
    }
}

extension Replica {
    fileprivate func satisfies(_ condition: ChildSpecification.Condition) -> Bool {
        switch condition {
        case .started: phase == .running || phase == .ended(success: true)
        case .ready: countsAsReady
        }
    }

    fileprivate var leavesForKnockOn: Bool { hasProcess && (stop?.purpose ?? stopOnceStarted) == .knockOn }
}

extension ChildSpecification.Probe {
    /// Denser until the child is ready for the first time, since others wait for it.
    fileprivate var everyAtStart: Duration {
        switch check {
        case .tcp: min(every, .milliseconds(200))
        case .exec: min(every, .seconds(1))
        }
    }
}
