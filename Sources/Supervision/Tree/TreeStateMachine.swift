internal import Model

/// The supervisor's whole judgement as a plain value: an event and the time go in, what is to be done comes out.
///
/// It starts no process and reads no clock, so every case can be played to it in a test. Two promises hold whatever
/// events arrive in whatever order: a replica is never spawned while a process of it may live, and nothing is spawned
/// once a stop was requested.
struct TreeStateMachine: Sendable {
    /// Those of the tree, then those that a reload left out and that still have processes.
    var children: [ChildSpecification]
    var graph: DependencyGraph
    var stopTimeout: Duration
    /// How many of ``children`` belong to the tree.
    var wanted: Int
    /// In the order of the children, replicas together.
    var replicas: [Replica] = []
    var treeStop: TreeStop?
    var reload: Reload?
    private(set) var hasEnded = false
    /// Whether every child has been ready at the same time at least once.
    private(set) var hasBeenReady = false
    /// The replicas of each child, by the child's position.
    private(set) var members: [Range<Int>] = []
    private var index: [ReplicaID: Int] = [:]
    private var actions: [TreeAction] = []
    private var random: SplitMix64

    /// The specification must be valid; see ``TreeSpecification/validate()``.
    init(_ children: [ChildSpecification], stopTimeout: Duration, seed: UInt64) {
        self.children = children
        self.stopTimeout = stopTimeout
        wanted = children.count
        graph = DependencyGraph(children)
        random = SplitMix64(seed: seed)
        arrange { _ in }
    }

    /// Lays out the replicas of ``children`` anew: those that were there stay as they are.
    ///
    /// - Parameter welcome: told of each that is new, or wanted again.
    mutating func arrange(_ welcome: (inout Replica) -> Void) {
        graph = DependencyGraph(children)
        let known = index.mapValues { replicas[$0] }
        var arranged: [Replica] = []
        members = []
        index = [:]
        for (position, child) in children.enumerated() {
            let start = arranged.count
            for number in 1..<((position < wanted ? child.replicas : 0) + 1) {
                let id = ReplicaID(child.name, number)
                var replica = known[id] ?? Replica(id: id, position: position, of: child)
                if known[id] == nil || replica.isLeaving { welcome(&replica) }
                replica.position = position
                replica.isLeaving = false
                arranged.append(replica)
            }
            let kept = Set(arranged[start...].map(\.id))
            let leaving = known.values.filter { $0.id.child == child.name && !kept.contains($0.id) && $0.hasProcess }
            for var replica in leaving.sorted(by: { $0.id < $1.id }) {
                replica.position = position
                replica.isLeaving = true
                arranged.append(replica)
            }
            members.append(start..<arranged.count)
            for place in start..<arranged.count { index[arranged[place].id] = place }
        }
        replicas = arranged
    }

    /// When `tick` is due, in monotonic time.
    var nextDeadline: Duration? {
        (replicas.map(\.nextDeadline) + [treeStop?.deadline]).compactMap { $0 }.min()
    }

    mutating func handle(_ event: TreeEvent, at now: Duration) -> [TreeAction] {
        guard !hasEnded else { return [] }
        switch event {
        case .begin: if replicas.isEmpty { end(0) }
        case .started(let id, let pid): if let index = index[id] { started(index, pid: pid, now) }
        case .spawnFailed(let id, let code, let reason):
            if let index = index[id] { spawnFailed(index, code: code, reason: reason, now) }
        case .said(let id, let message): if let index = index[id] { said(index, message, now) }
        case .hungUp(let id): if let index = index[id] { replicas[index].hears = false }
        case .probed(let id, let healthy): if let index = index[id] { probed(index, healthy: healthy, now) }
        case .exited(let id, let status, let groupRemains, let cause):
            if let index = index[id] { exited(index, status, cause, groupRemains: groupRemains, now) }
        case .groupGone(let id): if let index = index[id] { groupGone(index, now) }
        case .tick: break
        case .heldUp: heldUp(now)
        case .restartRequested(let ids): for index in ids.compactMap({ index[$0] }) { restartRequested(index, now) }
        case .resetRequested(let ids): for index in ids.compactMap({ index[$0] }) { resetRequested(index, now) }
        case .reloadRequested(let children, let stopTimeout): reloadRequested(children, stopTimeout: stopTimeout, now)
        case .stopRequested: stopRequested(now)
        }
        // Whatever happened, time has also passed; the order of events within one moment is nobody's promise.
        passTime(now)
        advanceReload(now)
        if treeStop == nil { startWhatMay(now) }
        advanceStop(now)
        noteReadiness()
        defer { actions.removeAll() }
        return actions
    }

    func replica(_ id: ReplicaID) -> Replica? { index[id].map { replicas[$0] } }

    // MARK: Shared by the extensions

    mutating func act(_ action: TreeAction) { actions.append(action) }

    mutating func log(
        _ level: LogSettings.Level,
        _ message: String,
        _ index: Int? = nil,
        _ fields: [String: LogField] = [:]
    ) {
        let replica = index.map { replicas[$0] }
        var fields = fields
        if let pid = replica?.pid { fields["pid"] = .integer(Int64(pid)) }
        act(.log(TreeLogLine(level: level, message: message, replica: replica?.id, fields: fields)))
    }

    mutating func randomShare() -> Double { Double.random(in: 0..<1, using: &random) }

    mutating func end(_ code: Int32) {
        hasEnded = true
        act(.end(code))
    }

    func specification(_ index: Int) -> ChildSpecification { replicas[index].specification }

    func replicas(of position: Int) -> ArraySlice<Replica> { replicas[members[position]] }

    func dependantReplicas(of position: Int) -> [Int] {
        graph.dependants[position].sorted().flatMap { members[$0] }
    }

    private mutating func noteReadiness() {
        if !hasBeenReady && treeStop == nil && replicas.allSatisfy(\.countsAsReady) {
            hasBeenReady = true
            if !hasEnded { log(.info, "the whole tree is ready") }
        }
    }

    private mutating func passTime(_ now: Duration) {
        for index in replicas.indices {
            switch replicas[index].phase {
            case .backoff(let until) where until <= now: replicas[index].phase = .waiting
            case .open(let until) where until <= now: admitProbeStart(index, now)
            case .running: runningTimePassed(index, now)
            case .stopping: stoppingTimePassed(index, now)
            default: break
            }
        }
    }
}

extension Replica {
    /// Whether nothing is amiss: it is ready, or it has done what it had to do.
    var countsAsReady: Bool { isReady || phase == .ended(success: true) }
}

/// A small generator with a seed, so that a run of the state machine can be repeated (Steele, Lea and Flood, 2014).
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
