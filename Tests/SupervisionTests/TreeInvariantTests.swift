import Model
import Testing

@testable import Supervision

/// Random events against a model world of processes: whatever comes, a replica has one process at most, and nothing
/// starts once a stop was requested.
@Suite struct TreeInvariantTests {
    private struct World {
        var machine: TreeStateMachine
        var random: SplitMix64
        var now = Duration.zero
        /// Ordered and not yet answered.
        var ordered: Set<ReplicaID> = []
        var leaders: Set<ReplicaID> = []
        /// Groups whose leader is gone.
        var groups: Set<ReplicaID> = []
        var stopping = false
        var ended: Int32?
        var violations: [String] = []
        var reloading = false
        var children: [ChildSpecification] = []

        mutating func feed(_ event: TreeEvent) {
            defer {
                // A reload leaves children out; what of them lives must not be lost sight of.
                for id in leaders.union(groups).union(ordered) where machine.replica(id) == nil && ended == nil {
                    violations.append("\(id) forgotten")
                }
            }
            for action in machine.handle(event, at: now) {
                if ended != nil { violations.append("\(action) after the end") }
                switch action {
                case .spawn(let id):
                    if stopping { violations.append("\(id) spawned after the stop") }
                    if case .open? = machine.replica(id)?.breaker?.state {
                        violations.append("\(id) spawned while its breaker is open")
                    }
                    if leaders.contains(id) || groups.contains(id) || !ordered.insert(id).inserted {
                        violations.append("\(id) spawned twice")
                    }
                case .signalLeader(let id, _):
                    if !leaders.contains(id) { violations.append("\(id) signalled in vain") }
                case .signalGroup(let id, _):
                    if !leaders.contains(id) && !groups.contains(id) { violations.append("\(id) signalled in vain") }
                case .end(let code):
                    ended = code
                    // Only a stop that gave up may leave anything behind.
                    if code != 75 && !(ordered.isEmpty && leaders.isEmpty && groups.isEmpty) {
                        violations.append("ended with processes left")
                    }
                case .reloaded: reloading = false
                case .send, .probe, .log: break
                }
            }
        }

        mutating func step() {
            let ids = machine.replicas.map(\.id)
            guard let id = ids.randomElement(using: &random) else { return reload() }
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<25:
                now += .milliseconds(Int.random(in: 0...3000, using: &random))
                feed(.tick)
            case 25..<50: answerSpawn(id)
            case 50..<65 where leaders.contains(id):
                feed(.said(id, .hello(protocol: ControlProtocol.name, role: "", pid: 1)))
                feed(.said(id, .ready))
            case 65..<70: feed(.probed(id, healthy: Bool.random(using: &random)))
            case 70..<88: endLeader(id)
            case 88..<96: if groups.remove(id) != nil { feed(.groupGone(id)) }
            case 97 where leaders.contains(id):
                let waiting = Bool.random(using: &random) ? "x" : nil
                feed(.said(id, .heartbeat(sequence: 1, progress: 1, backlog: 1, waiting: waiting)))
            case 98:
                switch Int.random(in: 0..<8, using: &random) {
                case 3...: reload()
                case 0: feed(.restartRequested(Bool.random(using: &random) ? [id] : ids))
                case 1: feed(.resetRequested([id]))
                default: feed(.heldUp)
                }
            case 99 where Int.random(in: 0..<10, using: &random) == 0:
                stopping = true
                feed(.stopRequested)
            case 96..<98: answerReload(id)
            default: feed(.said(id, .extend(milliseconds: 100)))
            }
        }

        private mutating func reload() {
            children = TreeInvariantTests.changed(children, &random)
            reloading = true
            feed(.reloadRequested(children, stopTimeout: .seconds(8)))
        }

        private mutating func answerReload(_ id: ReplicaID) {
            guard let generation = machine.replica(id)?.specification.application?.generation else { return }
            let ok = Int.random(in: 0..<3, using: &random) > 0
            feed(.said(id, .generation(rules: Int64(generation), ok: ok, error: nil)))
        }

        private mutating func answerSpawn(_ id: ReplicaID) {
            guard ordered.remove(id) != nil else { return }
            if Int.random(in: 0..<8, using: &random) == 0 {
                feed(.spawnFailed(id, code: 126, reason: "x"))
            } else {
                leaders.insert(id)
                feed(.started(id, pid: 1))
            }
        }

        private mutating func endLeader(_ id: ReplicaID) {
            guard leaders.remove(id) != nil else { return }
            let remains = Bool.random(using: &random)
            if remains { groups.insert(id) }
            let code = [0, 0, 1, 1, 1, 1, 78].randomElement(using: &random)!
            feed(.exited(id, .exited(Int32(code)), groupRemains: remains))
        }
    }

    private static func randomTree(_ random: inout SplitMix64) -> [ChildSpecification] {
        let names = ["a", "b", "c", "d", "e"]
        return names.enumerated().map { position, name in
            var dependsOn: [String: ChildSpecification.Condition] = [:]
            for earlier in names[..<position] where Int.random(in: 0..<3, using: &random) == 0 {
                dependsOn[earlier] = Bool.random(using: &random) ? .ready : .started
            }
            return ChildSpecification(
                name: name,
                replicas: Int.random(in: 1...3, using: &random),
                command: ["x"],
                kind: ChildSpecification.Kind.allCases.randomElement(using: &random)!,
                restart: ChildSpecification.Restart.allCases.randomElement(using: &random)!,
                breaker: Bool.random(using: &random) ? Breaker.Settings(failures: 2, open: .seconds(3)) : nil,
                heartbeat: .init(every: .milliseconds(500), missed: 2, longestWork: .milliseconds(800)),
                dependsOn: dependsOn,
                propagate: Bool.random(using: &random),
                critical: Int.random(in: 0..<6, using: &random) == 0,
                probe: Bool.random(using: &random) ? .tcp("127.0.0.1", 1) : nil
            )
        }
    }

    /// Another tree of the same names: some left out, added, scaled, with other commands, generations and policies.
    fileprivate static func changed(
        _ children: [ChildSpecification],
        _ random: inout SplitMix64
    ) -> [ChildSpecification] {
        let fresh = randomTree(&random)
        let known = Dictionary(uniqueKeysWithValues: children.map { ($0.name, $0) })
        var chosen: [ChildSpecification] = []
        for var child in fresh where Int.random(in: 0..<6, using: &random) > 0 {
            if Int.random(in: 0..<4, using: &random) > 0, let same = known[child.name] { child = same }
            if Int.random(in: 0..<4, using: &random) == 0 { child.command = ["y"] }
            child.application = .init(
                generation: Int.random(in: 1..<4, using: &random),
                fingerprint: Bool.random(using: &random) ? "s" : "t"
            )
            let names = Set(chosen.map(\.name))
            child.dependsOn = child.dependsOn.filter { names.contains($0.key) }
            chosen.append(child)
        }
        return chosen
    }

    @Test(arguments: 0..<400)
    func holdsWhateverComes(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let children = Self.randomTree(&random)
        var world = World(
            machine: TreeStateMachine(children, stopTimeout: .seconds(8), seed: UInt64(seed)),
            random: random
        )
        world.children = children
        world.feed(.begin)
        for _ in 0..<600 where world.ended == nil { world.step() }
        // However it went, a stop ends the tree within its budget once time passes.
        let asked = world.now
        world.stopping = true
        if world.ended == nil { world.feed(.stopRequested) }
        while world.ended == nil, let due = world.machine.nextDeadline {
            world.now = max(world.now, due)
            world.feed(.tick)
            for id in world.ordered.sorted() {
                world.ordered.remove(id)
                world.feed(.spawnFailed(id, code: 126, reason: "x"))
            }
        }
        #expect(world.violations == [])
        #expect(world.ended != nil)
        #expect(world.now - asked <= .seconds(8) + TreeStateMachine.graceAfterKill)
    }
}
