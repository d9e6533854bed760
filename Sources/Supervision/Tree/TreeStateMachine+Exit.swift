internal import Model
internal import Processes

/// What follows when a process ends that nobody told to: restart, rest, or the end of the tree.
extension TreeStateMachine {
    mutating func exited(_ index: Int, _ status: ExitStatus, _ cause: String?, groupRemains: Bool, _ now: Duration) {
        let id = replicas[index].id
        switch replicas[index].phase {
        case .running:
            note(status, cause, index)
            replicas[index].phase = .clearing
            if groupRemains { act(.signalGroup(id, Signals.kill)) }
        case .stopping:
            note(status, nil, index)
            if groupRemains { hurryGroup(index) }
        default: return
        }
        if !groupRemains { groupGone(index, now) }
    }

    /// The leader has left; what it leaves behind has no work of its own to finish.
    private mutating func hurryGroup(_ index: Int) {
        guard let stop = replicas[index].stop else { return }
        if stop.purpose == .liveness || stop.purpose == .stuck {
            act(.signalGroup(replicas[index].id, Signals.kill))
        } else if stop.terminateAt != nil {
            replicas[index].stop?.terminateAt = nil
            act(.signalGroup(replicas[index].id, Signals.terminate))
        }
    }

    private mutating func note(_ status: ExitStatus, _ cause: String?, _ index: Int) {
        let reason =
            switch replicas[index].stop?.purpose {
            case .startTimeout: "start timed out (\(status))"
            case .liveness: "heartbeats stopped (\(status))"
            case .stuck: "it had work and finished none of it (\(status))"
            case .tree, .knockOn, .restart, .replace, .removed, nil:
                status.description + (cause.map { ": \($0)" } ?? "")
            }
        replicas[index].lastExit = Replica.LastExit(code: status.code, signal: status.signal, reason: reason)
    }

    mutating func groupGone(_ index: Int, _ now: Duration) {
        switch replicas[index].phase {
        case .clearing: afterUnwantedEnd(index, now)
        case .stopping: afterStop(index, replicas[index].stop?.purpose ?? .tree, now)
        default: break
        }
    }

    /// A stop that was asked for is over.
    mutating func afterStop(_ index: Int, _ purpose: Replica.Stop.Purpose, _ now: Duration) {
        log(.info, "stopped", index, exitFields(index))
        if treeStop != nil {
            finish(index, success: true)
        } else if replicas[index].isLeaving {
            left(index)
        } else {
            switch purpose {
            case .tree: finish(index, success: true)
            case .startTimeout, .liveness, .stuck:
                if !wentBack(index) { restartOrRest(index, succeeded: false, now) }
            case .knockOn: afterKnockOn(index)
            case .restart, .replace, .removed: returnAtOnce(index)
            }
        }
    }

    mutating func afterUnwantedEnd(_ index: Int, _ now: Duration) {
        let child = specification(index)
        let exit = replicas[index].lastExit
        let succeeded = exit.map { $0.signal == nil && child.successExit.contains($0.code) } ?? false
        if treeStop != nil {
            log(.info, "ended", index, exitFields(index))
            return finish(index, success: succeeded)
        }
        if replicas[index].isLeaving { return left(index) }
        if replicas[index].restartOnceCleared { return returnAtOnce(index) }
        if !(succeeded && child.restart != .permanent), wentBack(index) { return }
        if let exit, exit.signal == nil, !succeeded, child.noRestartExit.contains(exit.code) {
            log(
                .error,
                "ended with code \(exit.code), which a restart would not mend: it stays down",
                index,
                exitFields(index)
            )
            _ = replicas[index].breaker?.failed(at: now)
            return fail(index, now)
        }
        restartOrRest(index, succeeded: succeeded, now)
    }

    private mutating func restartOrRest(_ index: Int, succeeded: Bool, _ now: Duration) {
        let child = specification(index)
        let opened = !succeeded && replicas[index].breaker?.failed(at: now) == true
        switch child.restart {
        case _ where child.kind == .job && succeeded:
            replicas[index].breaker?.reset()
            log(.info, "is done", index, exitFields(index))
            finish(index, success: true)
        case .transient where succeeded, .temporary where succeeded:
            log(.info, "ended", index, exitFields(index))
            finish(index, success: true)
        case .temporary:
            log(.error, "failed and is not to be restarted", index, exitFields(index))
            fail(index, now)
        case _ where opened: holdBack(index, now)
        case .permanent, .transient: restart(index, now)
        }
    }

    private mutating func restart(_ index: Int, _ now: Duration) {
        let child = specification(index)
        if let since = replicas[index].readySince, now - since >= child.backoffResetAfter {
            replicas[index].failuresInARow = 0
            replicas[index].backoff.reset()
        }
        let atOnce = replicas[index].hasBeenReady && replicas[index].failuresInARow == 0
        let wait = atOnce ? .zero : replicas[index].backoff.next(random: randomShare())
        replicas[index].failuresInARow += 1
        var fields = exitFields(index)
        fields["restart_in"] = .text(wait.brief)
        log(.warning, "ended and will be restarted", index, fields)
        replicas[index].forgetProcess()
        replicas[index].phase = .backoff(until: now + wait)
        if child.propagate { knockOn(from: replicas[index].position, now) }
    }

    /// Rest-for-one: all that depend on it leave, and return after it.
    mutating func knockOn(from position: Int, _ now: Duration) {
        for index in dependantReplicas(of: position) {
            switch replicas[index].phase {
            case .running: beginStop(index, .knockOn, now)
            case .spawning: replicas[index].stopOnceStarted = .knockOn
            case .waiting: replicas[index].passedGate = false
            case .backoff, .open, .clearing: replicas[index].passedGate = false
            case .stopping where replicas[index].stop?.purpose != .tree: replicas[index].passedGate = false
            case .stopping, .ended: break
            }
        }
    }

    /// A bystander returns unless it never does.
    private mutating func afterKnockOn(_ index: Int) {
        if specification(index).restart == .temporary { return finish(index, success: true) }
        replicas[index].forgetProcess()
        replicas[index].passedGate = false
        replicas[index].phase = .waiting
    }

    mutating func finish(_ index: Int, success: Bool) {
        replicas[index].forgetProcess()
        replicas[index].change = nil
        replicas[index].previous = nil
        replicas[index].phase = .ended(success: success)
        endIfAllEnded()
    }

    private mutating func fail(_ index: Int, _ now: Duration) {
        if preparationFailed(index, now) { return }
        let code = replicas[index].lastExit?.code ?? 1
        finish(index, success: false)
        endTreeIfCritical(index, code: code, now)
    }

    mutating func endTreeIfCritical(_ index: Int, code: Int32, _ now: Duration) {
        if specification(index).critical, treeStop == nil {
            log(.error, "the tree stops because \(replicas[index].id) is critical to it", nil)
            // Only EX_CONFIG has a meaning beyond the child; every other end of a critical child is our failure.
            beginTreeStop(now, code: code == 78 ? 78 : 70)
        }
    }

    /// A tree in which nothing lives and nothing will ever start has done its work.
    mutating func endIfAllEnded() {
        guard treeStop == nil, reload == nil, replicas.allSatisfy(\.hasEnded) else { return }
        guard !replicas.contains(where: { $0.hasFailed && $0.specification.critical }) else { return }
        let failed = replicas.filter(\.hasFailed).map(\.id.description)
        if failed.isEmpty {
            log(.info, "every child is done")
        } else {
            log(.error, "every child has ended", nil, ["failed": .text(failed.joined(separator: " "))])
        }
        end(failed.isEmpty ? 0 : 1)
    }

    func exitFields(_ index: Int) -> [String: LogField] {
        guard let exit = replicas[index].lastExit else { return [:] }
        return ["reason": .text(exit.reason), "code": .integer(Int64(exit.code))]
    }
}
