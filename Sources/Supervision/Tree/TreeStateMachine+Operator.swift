internal import Model

/// What an operator asks for by hand. None of it counts as a failure.
extension TreeStateMachine {
    /// A new process, as soon as the one that may live is gone with all its group.
    mutating func restartRequested(_ index: Int, _ now: Duration) {
        guard treeStop == nil, !replicas[index].isLeaving else { return }
        switch replicas[index].phase {
        case .running:
            log(.info, "is restarted as asked", index)
            beginStop(index, .restart, now)
            if specification(index).propagate { knockOn(from: replicas[index].position, now) }
        case .stopping:
            // The stop under way goes on; what follows it is a start without waiting.
            if replicas[index].stop?.purpose != .knockOn && !replicas[index].isLeaving {
                replicas[index].stop?.purpose = .restart
            }
        case .clearing: replicas[index].restartOnceCleared = true
        case .open: admitProbeStart(index, early: true, now)
        case .backoff, .ended: startAnew(index, now)
        // It is about to start anyway.
        case .waiting, .spawning: break
        }
    }

    /// Forgets its failures; where they kept it down, it starts again.
    mutating func resetRequested(_ index: Int, _ now: Duration) {
        guard treeStop == nil else { return }
        log(.info, "its failures are forgotten as asked", index)
        replicas[index].breaker?.reset()
        replicas[index].backoff.reset()
        replicas[index].failuresInARow = 0
        switch replicas[index].phase {
        case .backoff, .open, .ended(success: false): startAnew(index, now)
        default: break
        }
    }

    mutating func returnAtOnce(_ index: Int) {
        replicas[index].forgetProcess()
        replicas[index].phase = .waiting
    }

    mutating func startAnew(_ index: Int, _ now: Duration) {
        log(.info, "is started as asked", index)
        // A last failure that ended it for good may have opened it.
        _ = replicas[index].breaker?.admit(at: now, early: true)
        returnAtOnce(index)
    }
}
