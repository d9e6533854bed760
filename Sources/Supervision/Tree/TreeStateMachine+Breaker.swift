internal import Model

/// The breaker of each replica: what opens it, and what follows.
extension TreeStateMachine {
    /// It failed too often: it rests for longer than any back-off, and its siblings are left alone.
    mutating func holdBack(_ index: Int, _ now: Duration) {
        guard case .open(let until)? = replicas[index].breaker?.state else { return }
        var fields = exitFields(index)
        fields["open_for"] = .text((until - now).brief)
        log(.error, "failed too often: its breaker is open", index, fields)
        if preparationFailed(index, now) { return }
        let code = replicas[index].lastExit?.code ?? 1
        replicas[index].forgetProcess()
        replicas[index].phase = .open(until: until)
        if specification(index).propagate { knockOn(from: replicas[index].position, now) }
        endTreeIfCritical(index, code: code, now)
    }

    /// The one start that decides.
    ///
    /// - Parameter early: an operator asks for it.
    mutating func admitProbeStart(_ index: Int, early: Bool = false, _ now: Duration) {
        guard replicas[index].breaker?.admit(at: now, early: early) ?? true else { return }
        replicas[index].phase = .waiting
        log(.info, "its breaker admits one start", index)
    }

    /// It has been ready for long enough.
    mutating func wasStable(_ index: Int) {
        replicas[index].stableAt = nil
        if replicas[index].breaker?.state == .halfOpen { log(.info, "its breaker is closed again", index) }
        replicas[index].breaker?.succeeded()
    }
}
