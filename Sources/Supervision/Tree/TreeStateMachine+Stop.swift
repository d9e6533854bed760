internal import Model
internal import Processes

/// Stopping one process, and the whole tree tier by tier.
extension TreeStateMachine {
    /// The stop of the whole tree.
    struct TreeStop: Sendable, Equatable {
        /// When all that still lives is killed; after the kill, when to leave without the rest.
        var deadline: Duration
        var code: Int32
        /// Whether anything had to be killed.
        var forced = false
        var killing = false
    }

    /// A process that SIGKILL does not end within this hangs in the kernel, and nobody can wait for it.
    static let graceAfterKill = Duration.seconds(1)
    /// Between SIGABRT and SIGKILL.
    static let graceAfterAbort = Duration.seconds(5)
    /// What is kept of a stop's budget so that the last kill still falls within it.
    static let stopMargin = Duration.milliseconds(250)

    mutating func stopRequested(_ now: Duration) {
        if treeStop == nil {
            log(.info, "stopping")
            beginTreeStop(now, code: 0)
        } else if treeStop?.killing == false {
            log(.warning, "stopping now: asked a second time")
            killAll(now)
        }
    }

    mutating func beginTreeStop(_ now: Duration, code: Int32) {
        treeStop = TreeStop(deadline: now + stopTimeout - min(Self.stopMargin, stopTimeout / 10), code: code)
        for index in replicas.indices where !replicas[index].hasProcess && !replicas[index].hasEnded {
            replicas[index].forgetProcess()
            replicas[index].phase = .ended(success: true)
        }
    }

    /// Tells every process to end that nothing living depends on, and leaves once all are gone.
    mutating func advanceStop(_ now: Duration) {
        guard let stop = treeStop else { return }
        if stop.deadline <= now {
            guard !stop.killing else { return giveUp() }
            log(.error, "the stop took too long: the rest is killed")
            killAll(now)
        }
        guard replicas.contains(where: \.hasProcess) else {
            log(.info, "stopped", nil, ["forced": .text(treeStop!.forced ? "yes" : "no")])
            return end(treeStop!.forced ? ExitCode.forced : stop.code)
        }
        for index in replicas.indices where replicas[index].phase == .running {
            let dependants = dependantReplicas(of: replicas[index].position)
            if dependants.allSatisfy({ !replicas[$0].hasProcess }) { beginStop(index, .tree, now) }
        }
    }

    mutating func beginStop(_ index: Int, _ purpose: Replica.Stop.Purpose, _ now: Duration) {
        guard replicas[index].phase == .running else { return }
        let limit = stopLimit(index, now)
        var stop = Replica.Stop(purpose: purpose, terminateAt: nil, killAt: now + limit)
        replicas[index].phase = .stopping
        replicas[index].isReady = false
        if replicas[index].speaks && replicas[index].hears {
            let longest = limit * 0.75
            let drain = min(specification(index).drainTimeout ?? longest, longest)
            stop.terminateAt = now + drain
            act(.send(replicas[index].id, .drain(deadline: drain.millisecondsRoundedUp)))
        } else {
            act(.signalGroup(replicas[index].id, Signals.terminate))
        }
        replicas[index].stop = stop
        log(.debug, "told to end", index, ["within": .text(limit.brief)])
    }

    /// How long this process may take: its own limit, and what the tree's budget leaves for it.
    private func stopLimit(_ index: Int, _ now: Duration) -> Duration {
        let own = specification(index).stopTimeout
        guard let deadline = treeStop?.deadline else { return own }
        let remaining = max(deadline - now, .zero)
        let reserved = min(reserve(below: replicas[index].position), remaining / 2)
        return max(min(own, remaining - reserved), .milliseconds(50))
    }

    /// Time for the dependencies that stop after this child: well-behaved workers leave at once, while a foreign
    /// command, such as a broker, may have to write its state.
    private func reserve(below position: Int) -> Duration {
        graph.dependencies[position].map { dependency in
            let lives = replicas(of: dependency).contains(where: \.hasProcess)
            let own: Duration =
                !lives ? .zero : children[dependency].kind == .command ? .milliseconds(1500) : .milliseconds(500)
            return own + reserve(below: dependency)
        }.max() ?? .zero
    }

    mutating func stoppingTimePassed(_ index: Int, _ now: Duration) {
        guard let stop = replicas[index].stop else { return }
        if stop.killAt <= now {
            if !stop.killed {
                log(.warning, "did not end in time: killed", index)
                kill(index)
            }
        } else if let due = stop.terminateAt, due <= now {
            replicas[index].stop?.terminateAt = nil
            act(.signalGroup(replicas[index].id, Signals.terminate))
        }
    }

    /// Ends what does not answer: SIGABRT, which leaves a core or a trace where that is wanted, and soon SIGKILL.
    mutating func beginAbort(_ index: Int, _ purpose: Replica.Stop.Purpose, _ now: Duration) {
        replicas[index].phase = .stopping
        replicas[index].isReady = false
        replicas[index].stop = Replica.Stop(purpose: purpose, terminateAt: nil, killAt: now + Self.graceAfterAbort)
        act(.signalLeader(replicas[index].id, Signals.abort))
    }

    private mutating func kill(_ index: Int) {
        replicas[index].stop?.terminateAt = nil
        replicas[index].stop?.killed = true
        treeStop?.forced = true
        act(.signalGroup(replicas[index].id, Signals.kill))
    }

    private mutating func killAll(_ now: Duration) {
        treeStop?.killing = true
        treeStop?.deadline = now + Self.graceAfterKill
        for index in replicas.indices {
            switch replicas[index].phase {
            case .running:
                replicas[index].phase = .stopping
                replicas[index].isReady = false
                replicas[index].stop = Replica.Stop(purpose: .tree, terminateAt: nil, killAt: now)
                kill(index)
            case .stopping where replicas[index].stop?.killed == false: kill(index)
            default: break
            }
        }
    }

    private mutating func giveUp() {
        let left = replicas.filter(\.hasProcess).map(\.id.description)
        log(.error, "some processes cannot be ended", nil, ["left": .text(left.joined(separator: " "))])
        end(ExitCode.forced)
    }
}

/// What the supervisor itself exits with.
enum ExitCode {
    static let forced: Int32 = 75
}
