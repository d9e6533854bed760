import Model
import Processes
import Testing

@testable import Supervision

/// What a reload makes of a running tree, played to the state machine.
@Suite struct TreeReloadTests {
    private static let store = ReplicaID("store")
    private static let setup = ReplicaID("setup")
    private static let parse = [ReplicaID("parse", 1), ReplicaID("parse", 2)]

    /// `setup` → `store` → `parse` (two), as the pipeline has it.
    private static func desk(
        generation: Int = 1,
        tables: String = "t",
        storeCommand: String = "store",
        parseCommand: String = "parse",
        replicas: Int = 2
    ) -> [ChildSpecification] {
        var setup = ChildSpecification(name: "setup", command: ["setup"], kind: .job, critical: true)
        setup.application = .init(generation: generation, fingerprint: tables)
        var store = ChildSpecification(
            name: "store",
            command: [storeCommand],
            kind: .worker,
            dependsOn: ["setup": .ready]
        )
        store.application = .init(generation: generation)
        var parse = ChildSpecification(
            name: "parse",
            replicas: replicas,
            command: [parseCommand],
            kind: .worker,
            dependsOn: ["store": .ready]
        )
        parse.application = .init(generation: generation)
        return [setup, store, parse]
    }

    /// The tree of ``desk()``, all ready.
    private static func running(_ children: [ChildSpecification] = desk()) -> Play {
        var play = Play(children)
        _ = play.event(.begin)
        for child in children {
            for number in 1..<(child.replicas + 1) {
                let id = ReplicaID(child.name, number)
                _ = play.started(id)
                if child.kind == .job { _ = play.exited(id, 0) } else { _ = play.ready(id) }
            }
        }
        return play
    }

    private static func sends(_ actions: [TreeAction]) -> [String] {
        actions.compactMap {
            switch $0 {
            case .send(let id, .reload(let generation)): "\(id) reload \(generation)"
            case .send(let id, .drain): "\(id) drain"
            case .spawn(let id): "\(id) spawn"
            case .reloaded(let end):
                end.refusedBy.map { "refused by \($0)" } ?? "reloaded, \(end.problems.count) problems"
            default: nil
            }
        }
    }

    private func reload(_ play: inout Play, _ children: [ChildSpecification]) -> [String] {
        Self.sends(play.event(.reloadRequested(children, stopTimeout: .seconds(8))))
    }

    private func answer(_ play: inout Play, _ id: ReplicaID, _ generation: Int64, ok: Bool = true) -> [String] {
        Self.sends(play.event(.said(id, .generation(rules: generation, ok: ok, error: ok ? nil : "cannot"))))
    }

    @Test func aNewGenerationGoesDownTheTreeAndKeepsEveryProcess() {
        var play = Self.running()
        #expect(reload(&play, Self.desk(generation: 2)) == ["store/1 reload 2"])
        #expect(answer(&play, Self.store, 2) == ["parse/1 reload 2", "parse/2 reload 2"])
        #expect(answer(&play, Self.parse[0], 2) == [])
        #expect(answer(&play, Self.parse[1], 2) == ["reloaded, 0 problems"])
        #expect(play.machine.replicas.map(\.starts) == [1, 1, 1, 1])
        #expect(play.machine.replicas.map { $0.specification.application?.generation } == [2, 2, 2, 2])
    }

    @Test func aReloadThatChangesNothingDoesNothing() {
        var play = Self.running()
        #expect(reload(&play, Self.desk()) == ["reloaded, 0 problems"])
    }

    @Test func policyHoldsAtOnceAndRestartsNobody() {
        var play = Self.running()
        var children = Self.desk()
        children[1].restart = .temporary
        children[1].breaker = nil
        children[1].heartbeat = .init(every: .seconds(1), missed: 2)
        #expect(reload(&play, children) == ["reloaded, 0 problems"])
        #expect(play.machine.replica(Self.store)?.breaker == nil)
        _ = play.exited(Self.store, 1)
        #expect(play.machine.replica(Self.store)?.phase == .ended(success: false))
    }

    @Test func setupRunsBeforeAnyoneSeesTheNewTables() {
        var play = Self.running()
        #expect(reload(&play, Self.desk(generation: 2, tables: "t2")) == ["setup/1 spawn"])
        _ = play.started(Self.setup)
        #expect(Self.sends(play.exited(Self.setup, 0)) == ["store/1 reload 2"])
    }

    @Test func aRefusedSetupLeavesTheTreeAsItWas() {
        var play = Self.running()
        _ = reload(&play, Self.desk(generation: 2, tables: "t2"))
        _ = play.started(Self.setup)
        #expect(Self.sends(play.exited(Self.setup, 78)) == ["refused by setup/1"])
        #expect(play.machine.treeStop == nil)
        #expect(play.machine.state(degraded: false) == .ready)
        #expect(play.machine.replicas.map { $0.specification.application?.generation } == [1, 1, 1, 1])
        // The old one is not done anew, and the next reload starts from here.
        #expect(reload(&play, Self.desk()) == ["reloaded, 0 problems"])
    }

    @Test func aRefusedSetupLetsTheRollOutBesideItComeToItsEnd() {
        var play = Self.running()
        #expect(reload(&play, Self.desk(generation: 2)) == ["store/1 reload 2"])
        // Another change comes before parse was told of the last one, and its tables are refused.
        #expect(reload(&play, Self.desk(generation: 3, tables: "t2")) == ["setup/1 spawn"])
        _ = play.started(Self.setup)
        #expect(Self.sends(play.exited(Self.setup, 78)) == ["refused by setup/1"])
        #expect(answer(&play, Self.store, 2) == ["parse/1 reload 2", "parse/2 reload 2"])
        #expect(answer(&play, Self.parse[0], 2) == [])
        #expect(answer(&play, Self.parse[1], 2) == ["reloaded, 0 problems"])
        #expect(play.machine.replicas.map { $0.specification.application?.generation } == [2, 2, 2, 2])
        #expect(play.machine.state(degraded: false) == .ready)
    }

    @Test func aSetupThatFailsForAMomentIsTriedAgain() {
        var play = Self.running()
        _ = reload(&play, Self.desk(generation: 2, tables: "t2"))
        _ = play.started(Self.setup)
        #expect(Self.sends(play.exited(Self.setup, 69)) == [])
        #expect(Self.sends(play.pass(.seconds(2))) == ["setup/1 spawn"])
        _ = play.started(Self.setup)
        #expect(Self.sends(play.exited(Self.setup, 0)) == ["store/1 reload 2"])
    }

    @Test func anotherCommandIsARollingRestart() {
        var play = Self.running()
        #expect(reload(&play, Self.desk(parseCommand: "parse2")) == ["parse/1 drain"])
        #expect(Self.sends(play.exited(Self.parse[0], 0)) == ["parse/1 spawn"])
        #expect(Self.sends(play.started(Self.parse[0])) == [])
        #expect(Self.sends(play.ready(Self.parse[0])) == ["parse/2 drain"])
        #expect(Self.sends(play.exited(Self.parse[1], 0)) == ["parse/2 spawn"])
        _ = play.started(Self.parse[1])
        #expect(Self.sends(play.ready(Self.parse[1])) == ["reloaded, 0 problems"])
        #expect(play.machine.replica(Self.parse[1])?.specification.command == ["parse2"])
        #expect(play.machine.replica(Self.parse[1])?.failuresInARow == 0)
    }

    @Test(arguments: [true, false])
    func whatDoesNotBecomeReadyGoesBack(byExit: Bool) {
        var play = Self.running()
        _ = reload(&play, Self.desk(parseCommand: "broken"))
        _ = play.exited(Self.parse[0], 0)
        _ = play.started(Self.parse[0])
        var orders = byExit ? play.exited(Self.parse[0], 3) : play.pass(.seconds(61))
        if !byExit { orders = play.exited(Self.parse[0], 143) }
        #expect(Self.sends(orders) == ["parse/1 spawn"])
        #expect(play.machine.replica(Self.parse[0])?.specification.command == ["parse"])
        _ = play.started(Self.parse[0])
        #expect(Self.sends(play.ready(Self.parse[0])) == ["reloaded, 1 problems"])
        #expect(play.machine.replica(Self.parse[1])?.starts == 1)
        #expect(play.machine.replica(Self.parse[0])?.breaker?.failures(at: .zero) == 0)
    }

    @Test(arguments: [true, false])
    func whoCannotTakeItOverIsReplacedOneAfterTheOther(refuses: Bool) {
        var play = Self.running()
        _ = reload(&play, Self.desk(generation: 2))
        _ = answer(&play, Self.store, 2)
        var orders: [String] = []
        if refuses {
            orders += answer(&play, Self.parse[0], 2, ok: false)
            orders += answer(&play, Self.parse[1], 2, ok: false)
        } else {
            _ = play.pass(TreeStateMachine.timeToTakeOver - .seconds(1))
            for id in Self.parse + [Self.store] { _ = play.event(.said(id, .heartbeat(sequence: 1, progress: 0))) }
            orders = Self.sends(play.pass(.seconds(1)))
        }
        #expect(orders == ["parse/1 drain"])
        _ = play.exited(Self.parse[0], 0)
        _ = play.started(Self.parse[0])
        #expect(Self.sends(play.ready(Self.parse[0])) == ["parse/2 drain"])
    }

    @Test func oneThatEndsWhileItTakesOverIsStartedWithTheNewGeneration() {
        var play = Self.running()
        _ = reload(&play, Self.desk(generation: 2))
        #expect(Self.sends(play.exited(Self.store, 139)) == ["store/1 spawn"])
        #expect(play.machine.replica(Self.store)?.specification.application?.generation == 2)
        _ = play.started(Self.store)
        #expect(Self.sends(play.ready(Self.store)) == ["parse/1 reload 2", "parse/2 reload 2"])
    }

    @Test func removedOnesLeaveInReverseAndAreForgotten() {
        var play = Self.running()
        #expect(reload(&play, [Self.desk()[0]]) == ["parse/1 drain", "parse/2 drain"])
        _ = play.exited(Self.parse[0], 0)
        #expect(Self.sends(play.exited(Self.parse[1], 0)) == ["store/1 drain"])
        #expect(play.machine.replicas.map(\.id) == [Self.setup, Self.store])
        // What is removed and what is removed last: nothing is left that could end.
        let orders = play.exited(Self.store, 0)
        #expect(Self.sends(orders).contains("reloaded, 0 problems"))
        #expect(play.machine.replicas.map(\.id) == [Self.setup])
    }

    @Test func oneThatIsWantedAgainBeforeItHasLeftReturns() {
        var play = Self.running()
        _ = reload(&play, Array(Self.desk()[..<2]))
        #expect(reload(&play, Self.desk()) == [])
        #expect(Self.sends(play.exited(Self.parse[0], 0)) == ["parse/1 spawn"])
    }

    @Test func addedOnesStartOnceWhatTheyDependOnHasTakenOver() {
        var play = Self.running()
        var children = Self.desk(generation: 2)
        children.append(
            ChildSpecification(name: "fetch", command: ["fetch"], kind: .worker, dependsOn: ["parse": .ready])
        )
        #expect(reload(&play, children) == ["store/1 reload 2"])
        _ = answer(&play, Self.store, 2)
        _ = answer(&play, Self.parse[0], 2)
        #expect(answer(&play, Self.parse[1], 2) == ["fetch/1 spawn"])
        _ = play.started(ReplicaID("fetch"))
        #expect(Self.sends(play.ready(ReplicaID("fetch"))) == ["reloaded, 0 problems"])
    }

    @Test func replicasAreScaledUpAndDown() {
        var play = Self.running()
        #expect(reload(&play, Self.desk(replicas: 3)) == ["parse/3 spawn"])
        _ = play.started(ReplicaID("parse", 3))
        #expect(Self.sends(play.ready(ReplicaID("parse", 3))) == ["reloaded, 0 problems"])
        #expect(reload(&play, Self.desk(replicas: 1)) == ["parse/2 drain", "parse/3 drain"])
        _ = play.exited(Self.parse[1], 0)
        #expect(Self.sends(play.exited(ReplicaID("parse", 3), 0)) == ["reloaded, 0 problems"])
        #expect(play.machine.replicas.map(\.id) == [Self.setup, Self.store, Self.parse[0]])
    }

    @Test func aReloadDuringAReloadWins() {
        var play = Self.running()
        #expect(reload(&play, Self.desk(generation: 2)) == ["store/1 reload 2"])
        #expect(reload(&play, Self.desk(generation: 3)) == [])
        #expect(answer(&play, Self.store, 2) == ["store/1 reload 3"])
        #expect(answer(&play, Self.store, 3) == ["parse/1 reload 3", "parse/2 reload 3"])
    }

    @Test func aReloadWhileSetupRunsWaitsForItAndRunsItAnew() {
        var play = Self.running()
        _ = reload(&play, Self.desk(generation: 2, tables: "t2"))
        _ = play.started(Self.setup)
        #expect(reload(&play, Self.desk(generation: 3, tables: "t3")) == [])
        #expect(Self.sends(play.exited(Self.setup, 0)) == ["setup/1 spawn"])
        _ = play.started(Self.setup)
        #expect(Self.sends(play.exited(Self.setup, 0)) == ["store/1 reload 3"])
    }

    @Test func aMendedReloadNeedNotWaitForABrokenOne() {
        var play = Self.running()
        _ = reload(&play, Self.desk(storeCommand: "hangs"))
        _ = play.exited(Self.store, 0)
        _ = play.started(Self.store)
        #expect(reload(&play, Self.desk(storeCommand: "store3")) == [])
        #expect(Self.sends(play.exited(Self.store, 143)) == ["store/1 spawn"])
        #expect(play.machine.replica(Self.store)?.specification.command == ["store3"])
    }

    @Test func aReloadDuringABackoffTakesTheNewGeneration() {
        var play = Self.running()
        _ = play.exited(Self.store, 1)
        _ = play.started(Self.store)
        _ = play.exited(Self.store, 1)
        #expect(reload(&play, Self.desk(generation: 2)) == ["parse/1 reload 2", "parse/2 reload 2"])
        #expect(play.machine.replica(Self.store)?.specification.application?.generation == 2)
        #expect(Self.sends(play.pass(.seconds(1))) == ["store/1 spawn"])
    }

    @Test func whatHadFailedForGoodIsStartedWithAnotherConfiguration() {
        var play = Self.running()
        _ = play.exited(Self.store, 78)
        let orders = reload(&play, Self.desk(generation: 2))
        #expect(orders.contains("store/1 spawn"))
    }

    @Test func aStopDuringAReloadStartsNobody() {
        var play = Self.running()
        _ = reload(&play, Self.desk(generation: 2, tables: "t2"))
        _ = play.started(Self.setup)
        let orders = Self.sends(play.event(.stopRequested))
        #expect(orders.contains("reloaded, 1 problems"))
        #expect(Self.sends(play.exited(Self.setup, 0)) == [])
        #expect(reload(&play, Self.desk(generation: 3)) == ["reloaded, 1 problems"])
    }
}
