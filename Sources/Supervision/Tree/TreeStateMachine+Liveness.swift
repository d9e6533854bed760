internal import Model

/// Alive is who says so from its work loop: a ready child that is silent for too long hangs, and is restarted. So is
/// one that beats but finishes nothing of the work it has, while all it needs is there.
extension TreeStateMachine {
    /// The time for the next sign of life starts now. A child that is not ready yet has its start time-out, a job ends,
    /// and a command that never said a word of the protocol is not judged.
    mutating func expectHeartbeat(_ index: Int, _ now: Duration) {
        let child = specification(index)
        guard replicas[index].phase == .running, replicas[index].isReady, replicas[index].speaks, child.kind != .job
        else { return }
        replicas[index].silentAt = now + child.heartbeat.longestSilence
    }

    /// The time in which it must finish something begins with its work, with every unit finished, and anew as long as
    /// something that it needs is away: of the tree as it is known here, beyond it by the child's own word.
    mutating func expectProgress(_ index: Int, _ progress: UInt64, _ now: Duration) {
        let finishedSome = replicas[index].progress != progress
        replicas[index].progress = progress
        guard replicas[index].phase == .running, replicas[index].isReady, replicas[index].backlog ?? 0 > 0,
            replicas[index].waitingFor == nil, hasItsDependencies(index)
        else { return replicas[index].stuckAt = nil }
        if finishedSome || replicas[index].stuckAt == nil {
            replicas[index].stuckAt = now + specification(index).heartbeat.longestWork
        }
    }

    private func hasItsDependencies(_ index: Int) -> Bool {
        graph.dependencies[replicas[index].position].allSatisfy { replicas(of: $0).allSatisfy(\.countsAsReady) }
    }

    /// Children may have spoken while nobody listened, or may have been held up alike: all get their time anew.
    mutating func heldUp(_ now: Duration) {
        let judged = replicas.indices.filter { replicas[$0].silentAt != nil }
        guard !judged.isEmpty else { return }
        log(.debug, "the supervisor was held up; heartbeats are counted from now")
        for index in judged {
            expectHeartbeat(index, now)
            replicas[index].stuckAt = nil
        }
    }

    mutating func endSilent(_ index: Int, _ now: Duration) {
        let silence = specification(index).heartbeat.longestSilence
        log(.error, "has been silent for too long; it is ended and restarted", index, ["silent": .text(silence.brief)])
        beginAbort(index, .liveness, now)
    }

    mutating func endStuck(_ index: Int, _ now: Duration) {
        // A dependency may have left since the last heartbeat; then the next one says how it stands.
        guard hasItsDependencies(index) else { return replicas[index].stuckAt = nil }
        log(
            .error,
            "has work and finishes none of it; it is ended and restarted",
            index,
            [
                "backlog": .integer(Int64(clamping: replicas[index].backlog ?? 0)),
                "for": .text(specification(index).heartbeat.longestWork.brief),
            ]
        )
        beginAbort(index, .stuck, now)
    }
}
