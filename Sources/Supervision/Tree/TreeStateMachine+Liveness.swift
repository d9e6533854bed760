internal import Model

/// Alive is who says so from its work loop: a ready child that is silent for too long hangs, and is restarted.
extension TreeStateMachine {
    /// The time for the next sign of life starts now. A child that is not ready yet has its start time-out, a job ends,
    /// and a command that never said a word of the protocol is not judged.
    mutating func expectHeartbeat(_ index: Int, _ now: Duration) {
        let child = specification(index)
        guard replicas[index].phase == .running, replicas[index].isReady, replicas[index].speaks, child.kind != .job
        else { return }
        replicas[index].silentAt = now + child.heartbeat.longestSilence
    }

    /// Children may have spoken while nobody listened, or may have been held up alike: all get their time anew.
    mutating func heldUp(_ now: Duration) {
        let judged = replicas.indices.filter { replicas[$0].silentAt != nil }
        guard !judged.isEmpty else { return }
        log(.debug, "the supervisor was held up; heartbeats are counted from now")
        for index in judged { expectHeartbeat(index, now) }
    }

    mutating func endSilent(_ index: Int, _ now: Duration) {
        let silence = specification(index).heartbeat.longestSilence
        log(.error, "has been silent for too long; it is ended and restarted", index, ["silent": .text(silence.brief)])
        beginAbort(index, now)
    }
}
