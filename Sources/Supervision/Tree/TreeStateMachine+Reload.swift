internal import Model

/// Bringing a running tree to another one. What is asked for is kept as the target, and each replica is led there from
/// wherever it stands: so a start, a reload, a reload during a reload and a way back are one path.
///
/// A child's turn comes when all it depends on has taken over: what reads new records must know them before anyone
/// writes some.
extension TreeStateMachine {
    struct Reload: Sendable {
        /// The tree to go back to while jobs prepare the new one.
        var before: [ChildSpecification]
        var target: [ChildSpecification]
        /// Jobs that must be done before anyone else sees the target; empty once they are.
        var jobs: Set<String>
        /// Those of them that had been done before, for the tree that runs.
        var doneBefore: Set<ReplicaID>
        /// Children that went back to their old specification: no second attempt, and no way back from there.
        var wentBack: Set<String> = []
        var problems: [String] = []
    }

    /// How long a process may take to answer `reload`; `extend` prolongs it.
    static let timeToTakeOver = Duration.seconds(30)

    mutating func reloadRequested(_ target: [ChildSpecification], stopTimeout: Duration, _ now: Duration) {
        guard treeStop == nil else { return act(.reloaded(ReloadEnd(problems: ["the tree is stopping"]))) }
        self.stopTimeout = stopTimeout
        let isPreparing = reload.map { !$0.jobs.isEmpty } ?? false
        let before = isPreparing ? reload!.before : Array(children[..<wanted])
        let jobs = Set(target.filter { $0.kind == .job && mustRun($0) }.map(\.name))
        let done = replicas.filter { jobs.contains($0.id.child) && $0.phase == .ended(success: true) }.map(\.id)
        reload = Reload(
            before: before,
            target: target,
            jobs: jobs,
            doneBefore: Set(done).union(isPreparing ? reload!.doneBefore : [])
        )
        adopt(jobs.isEmpty ? target : Self.preparation(of: target, jobs: jobs, before: before), now)
    }

    /// Called after every event.
    mutating func advanceReload(_ now: Duration) {
        guard treeStop == nil else {
            if reload != nil { act(.reloaded(ReloadEnd(problems: ["the tree is stopping"]))) }
            reload = nil
            return
        }
        if replicas.contains(where: \.isLeaving) { advanceLeaving(now) }
        guard reload != nil else { return }
        takeTurns(now)
        if reload?.jobs.isEmpty == false, replicas.allSatisfy({ !isAwaitedJob($0) }) {
            let target = reload!.target
            reload?.jobs = []
            adopt(target, now)
            takeTurns(now)
        }
        guard reload?.jobs.isEmpty == true, replicas.allSatisfy({ hasTakenOver($0) }) else { return }
        let problems = reload?.problems ?? []
        reload = nil
        act(.reloaded(ReloadEnd(problems: problems)))
        if !replicas.isEmpty { endIfAllEnded() }
    }

    // MARK: The target

    /// Whether a job must run for the target before anyone else sees that.
    private func mustRun(_ job: ChildSpecification) -> Bool {
        guard let position = children[..<wanted].firstIndex(where: { $0.name == job.name }) else { return true }
        return replicas(of: position).contains { isAwaitedJob($0) || $0.specification.distance(to: job) == .replace }
    }

    private func isAwaitedJob(_ replica: Replica) -> Bool {
        reload?.jobs.contains(replica.id.child) == true
            && !(replica.phase == .ended(success: true) && distance(replica) == .none)
    }

    /// The tree as it runs, with the jobs of the next one and what those depend on.
    private static func preparation(
        of target: [ChildSpecification],
        jobs: Set<String>,
        before: [ChildSpecification]
    ) -> [ChildSpecification] {
        var needed = jobs
        // The target has no circles, so this ends.
        while let next = target.filter({ needed.contains($0.name) }).flatMap(\.dependsOn.keys)
            .first(where: { !needed.contains($0) })
        {
            needed.insert(next)
        }
        return target.filter { needed.contains($0.name) } + before.filter { !needed.contains($0.name) }
    }

    private mutating func adopt(_ target: [ChildSpecification], _ now: Duration) {
        let names = Set(target.map(\.name))
        let leaving = children.indices.filter { position in
            !names.contains(children[position].name) && replicas(of: position).contains(where: \.hasProcess)
        }
        children = target + leaving.map { children[$0] }
        wanted = target.count
        arrange { $0.change = .replacing }
        for index in replicas.indices where !replicas[index].isLeaving {
            let child = children[replicas[index].position]
            let settings = replicas[index].specification
            replicas[index].specification = settings.underPolicy(of: child)
            if settings.backoff != child.backoff { replicas[index].backoff = child.backoff }
            if settings.breaker != child.breaker { renewBreaker(index, child.breaker, now) }
            if settings.heartbeat != child.heartbeat { expectHeartbeat(index, now) }
            if replicas[index].change == .replacing { correct(index, to: child, now) }
        }
        for index in replicas.indices where replicas[index].isLeaving { replicas[index].change = nil }
    }

    /// One that is being started for an earlier target need not become ready with that first.
    private mutating func correct(_ index: Int, to target: ChildSpecification, _ now: Duration) {
        guard replicas[index].specification.distance(to: target) != .none else { return }
        switch replicas[index].phase {
        case .waiting, .backoff, .open, .stopping, .clearing: replicas[index].specification = target
        case .running where !replicas[index].isReady && target.kind != .job:
            replicas[index].specification = target
            beginStop(index, .replace, now)
        case .running, .spawning, .ended: break
        }
    }

    /// Other settings begin without a past; what the old breaker held back may start.
    private mutating func renewBreaker(_ index: Int, _ settings: Breaker.Settings?, _ now: Duration) {
        replicas[index].breaker = settings.map { Breaker($0) }
        if case .open = replicas[index].phase { returnAtOnce(index) }
        replicas[index].stableAt = replicas[index].readySince.flatMap { since in settings.map { since + $0.stable } }
    }

    // MARK: Turns

    private func distance(_ replica: Replica) -> ChildSpecification.Distance {
        replica.mustBeReplaced ? .replace : replica.specification.distance(to: children[replica.position])
    }

    private func hasTakenOver(_ replica: Replica) -> Bool {
        !replica.isLeaving && replica.change == nil && distance(replica) == .none
    }

    func dependenciesHaveTakenOver(_ position: Int) -> Bool {
        guard reload != nil else { return true }
        return graph.allDependencies[position].allSatisfy { dependency in
            replicas(of: dependency).allSatisfy { $0.isLeaving || hasTakenOver($0) }
        }
    }

    private mutating func takeTurns(_ now: Duration) {
        for position in graph.startOrder where position < wanted && dependenciesHaveTakenOver(position) {
            // One replica at a time is without work; a message, though, goes to all at once.
            guard !members[position].contains(where: { replicas[$0].change != nil }) else { continue }
            for index in members[position] where !replicas[index].isLeaving {
                switch distance(replicas[index]) {
                case .none: replicas[index].specification.application = children[position].application
                case .reload: bring(index, to: children[position], replacing: false, now)
                case .replace:
                    guard !members[position].contains(where: { replicas[$0].change != nil }) else { continue }
                    bring(index, to: children[position], replacing: true, now)
                }
            }
        }
    }

    private mutating func bring(
        _ index: Int,
        to target: ChildSpecification,
        replacing: Bool,
        _ now: Duration
    ) {
        let replica = replicas[index]
        switch replica.phase {
        case .spawning: return
        case .running where target.kind == .job && replica.specification.kind == .job: return
        case .running where !replica.isReady:
            // It has no work yet that a way back could save.
            replicas[index].specification = target
            beginStop(index, .replace, now)
        case .running where !replacing && replica.speaks && replica.hears:
            replicas[index].previous = replica.specification
            replicas[index].specification = target
            replicas[index].change = .reloading(until: now + Self.timeToTakeOver)
            act(.send(replica.id, .reload(generation: Int64(target.application?.generation ?? 0))))
        case .running: replace(index, by: target, now)
        case .ended(let success):
            replicas[index].specification = target
            if !success || replacing { startAnew(index, now) }
        case .backoff, .open:
            replicas[index].specification = target
            if replacing { startAnew(index, now) }
        case .waiting, .stopping, .clearing: replicas[index].specification = target
        }
    }

    private mutating func replace(_ index: Int, by target: ChildSpecification, _ now: Duration) {
        let hasWayBack = reload?.wentBack.contains(replicas[index].id.child) == false
        replicas[index].previous = hasWayBack ? replicas[index].specification : nil
        replicas[index].specification = target
        replicas[index].change = .replacing
        replicas[index].mustBeReplaced = false
        log(.info, "is replaced", index)
        beginStop(index, .replace, now)
        if target.propagate { knockOn(from: replicas[index].position, now) }
    }

    // MARK: What comes of it

    mutating func answered(_ index: Int, generation: Int64, ok: Bool, _ now: Duration) {
        guard replicas[index].answerDueAt != nil,
            Int64(replicas[index].specification.application?.generation ?? 0) == generation
        else { return }
        if ok { tookOver(index) } else { couldNotTakeOver(index) }
    }

    mutating func gaveNoAnswer(_ index: Int) {
        log(.warning, "did not take over the new generation in time", index)
        couldNotTakeOver(index)
    }

    /// It works by the old one still, and is replaced when its turn comes.
    private mutating func couldNotTakeOver(_ index: Int) {
        if let previous = replicas[index].previous { replicas[index].specification = previous }
        replicas[index].previous = nil
        replicas[index].change = nil
        replicas[index].mustBeReplaced = true
    }

    /// It works by its new specification.
    mutating func tookOver(_ index: Int) {
        replicas[index].change = nil
        replicas[index].previous = nil
    }

    /// The first process of a new specification ended, or was ended, before it was ready.
    ///
    /// - Returns: whether the replica goes back to its old specification.
    mutating func wentBack(_ index: Int) -> Bool {
        guard replicas[index].change == .replacing || replicas[index].answerDueAt != nil else { return false }
        let id = replicas[index].id
        let reason = replicas[index].lastExit?.reason ?? "it did not start"
        // It may have ended for another reason than the new generation: one process more will tell.
        if replicas[index].answerDueAt != nil {
            log(.warning, "ended while it took over the new generation; it is started with it", index)
            returnAtOnce(index)
            return true
        }
        replicas[index].change = nil
        let position = replicas[index].position
        guard let previous = replicas[index].previous else {
            reload?.problems.append("\(id) did not become ready: \(reason)")
            return false
        }
        reload?.problems.append(
            "\(id) did not become ready with its new settings: \(reason); \(id.child) goes back to the old ones"
        )
        log(
            .error,
            "did not become ready with its new settings; it goes back to the old ones",
            index,
            exitFields(index)
        )
        reload?.wentBack.insert(id.child)
        replicas[index].previous = nil
        children[position] = previous.underPolicy(of: children[position])
        replicas[index].specification = children[position]
        replicas[index].change = .replacing
        returnAtOnce(index)
        return true
    }

    /// A job that was to prepare the target failed for good: the tree stays what it was.
    ///
    /// - Returns: whether it was such a job, and what follows is done.
    mutating func preparationFailed(_ index: Int, _ now: Duration) -> Bool {
        guard let reload, reload.jobs.contains(replicas[index].id.child) else { return false }
        let id = replicas[index].id
        if distance(replicas[index]) == .replace {
            // The target has changed meanwhile.
            replicas[index].specification = children[replicas[index].position]
            startAnew(index, now)
            return true
        }
        let reason = replicas[index].lastExit?.reason ?? "it did not start"
        log(.error, "failed, so the reload is refused and the tree stays as it was", index, exitFields(index))
        replicas[index].forgetProcess()
        replicas[index].breaker?.reset()
        replicas[index].phase = .ended(success: reload.doneBefore.contains(id))
        replicas[index].change = nil
        self.reload = nil
        adopt(reload.before, now)
        for index in replicas.indices where reload.jobs.contains(replicas[index].id.child) {
            goBack(index, wasDone: reload.doneBefore.contains(replicas[index].id), now)
        }
        act(.reloaded(ReloadEnd(refusedBy: id, problems: ["\(id) failed: \(reason)"])))
        // What was rolled out before this reload may not have come to its end.
        if replicas.contains(where: { !$0.isLeaving && distance($0) != .none }) {
            self.reload = Reload(before: reload.before, target: reload.before, jobs: [], doneBefore: [])
        }
        return true
    }

    private mutating func goBack(_ index: Int, wasDone: Bool, _ now: Duration) {
        replicas[index].specification = children[replicas[index].position]
        guard !replicas[index].hasProcess, !replicas[index].isLeaving else { return }
        if wasDone { replicas[index].phase = .ended(success: true) } else { startAnew(index, now) }
    }

    // MARK: Leaving

    /// Ends what the tree left out, what depends on others of it first, and forgets what is gone.
    private mutating func advanceLeaving(_ now: Duration) {
        for index in replicas.indices where replicas[index].isLeaving {
            switch replicas[index].phase {
            case .spawning: replicas[index].stopOnceStarted = .removed
            case .stopping: replicas[index].stop?.purpose = .removed
            case .running:
                let dependants = dependantReplicas(of: replicas[index].position)
                guard dependants.allSatisfy({ !replicas[$0].isLeaving || !replicas[$0].hasProcess }) else { break }
                log(.info, "is left out and ended", index)
                beginStop(index, .removed, now)
            default: break
            }
        }
        guard replicas.contains(where: { $0.isLeaving && !$0.hasProcess }) else { return }
        let living = Set(replicas.filter(\.hasProcess).map(\.id.child))
        children = children[..<wanted] + children[wanted...].filter { living.contains($0.name) }
        arrange { _ in }
    }

    /// The last of a process that the tree left out.
    mutating func left(_ index: Int) {
        replicas[index].forgetProcess()
        replicas[index].phase = .ended(success: true)
    }
}
