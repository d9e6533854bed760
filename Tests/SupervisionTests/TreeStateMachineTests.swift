import Model
import Processes
import Testing

@testable import Supervision

/// Plays events to the state machine and keeps the time.
struct Play {
    var machine: TreeStateMachine
    var now = Duration.zero
    private var nextPid: Int32 = 100

    init(_ children: [ChildSpecification], stopTimeout: Duration = .seconds(8)) {
        machine = TreeStateMachine(children, stopTimeout: stopTimeout, seed: 7)
    }

    /// Everything that was ordered, log lines left out.
    mutating func event(_ event: TreeEvent) -> [TreeAction] {
        machine.handle(event, at: now).filter { if case .log = $0 { false } else { true } }
    }

    mutating func pass(_ time: Duration) -> [TreeAction] {
        now += time
        return event(.tick)
    }

    mutating func started(_ id: ReplicaID) -> [TreeAction] {
        nextPid += 1
        return event(.started(id, pid: nextPid))
    }

    mutating func ready(_ id: ReplicaID) -> [TreeAction] {
        let hello = event(.said(id, .hello(protocol: ControlProtocol.name, role: id.child, pid: 1)))
        return hello + event(.said(id, .ready))
    }

    mutating func exited(_ id: ReplicaID, _ code: Int32, groupRemains: Bool = false) -> [TreeAction] {
        event(.exited(id, .exited(code), groupRemains: groupRemains))
    }

    func state(_ id: ReplicaID) -> ReplicaState? { machine.replica(id).map(machine.state) }
}

func worker(
    _ name: String,
    after: [String] = [],
    restart: ChildSpecification.Restart = .permanent,
    propagate: Bool = false
) -> ChildSpecification {
    ChildSpecification(
        name: name,
        command: ["/bin/true"],
        kind: .worker,
        restart: restart,
        backoff: Backoff(jitter: 0),
        dependsOn: Dictionary(uniqueKeysWithValues: after.map { ($0, .ready) }),
        propagate: propagate
    )
}

@Suite struct TreeStateMachineTests {
    private let a = ReplicaID("a")
    private let b = ReplicaID("b")
    private let c = ReplicaID("c")

    @Test func dependantsWaitForReadyNotForTheSpawn() {
        var play = Play([worker("b", after: ["a"]), worker("a")])
        #expect(play.event(.begin) == [.spawn(a)])
        #expect(play.started(a).isEmpty)
        #expect(play.state(b) == .waiting)
        #expect(play.ready(a) == [.spawn(b)])
    }

    @Test func aConditionOfStartedIsMetByTheSpawn() {
        var child = worker("b")
        child.dependsOn = ["a": .started]
        var play = Play([worker("a"), child])
        #expect(play.event(.begin) == [.spawn(a)])
        #expect(play.started(a) == [.spawn(b)])
    }

    @Test func allReplicasMustBeReady() {
        var twice = worker("a")
        twice.replicas = 2
        var play = Play([twice, worker("b", after: ["a"])])
        #expect(play.event(.begin) == [.spawn(ReplicaID("a", 1)), .spawn(ReplicaID("a", 2))])
        _ = play.started(ReplicaID("a", 1))
        _ = play.started(ReplicaID("a", 2))
        #expect(play.ready(ReplicaID("a", 1)).isEmpty)
        #expect(play.ready(ReplicaID("a", 2)) == [.spawn(b)])
    }

    @Test func aJobIsReadyWhenItIsDone() {
        let job = ChildSpecification(name: "a", command: ["/bin/true"], kind: .job)
        var play = Play([job, worker("b", after: ["a"])])
        _ = play.event(.begin)
        _ = play.started(a)
        #expect(play.ready(a).isEmpty)
        #expect(play.exited(a, 0) == [.spawn(b)])
        #expect(play.state(a) == .ready)
    }

    @Test func aFailedJobIsRetriedUntilItSaysThatNothingWouldHelp() {
        let job = ChildSpecification(name: "a", command: ["/bin/false"], kind: .job, backoff: Backoff(jitter: 0))
        var play = Play([job, worker("b", after: ["a"])])
        _ = play.event(.begin)
        _ = play.started(a)
        #expect(play.exited(a, 1).isEmpty)
        #expect(play.state(a) == .backoff)
        #expect(play.pass(.milliseconds(500)) == [.spawn(a)])
        _ = play.started(a)
        #expect(play.exited(a, 78).isEmpty)
        #expect(play.state(a) == .failed)
        #expect(play.state(b) == .waiting)
        #expect(play.machine.state(degraded: false) == .degraded)
        #expect(play.pass(.seconds(3600)).isEmpty)
    }

    @Test func aCommandIsReadyAfterASecondUnlessItSpeaks() {
        let command = ChildSpecification(name: "a", command: ["/bin/true"])
        var silent = Play([command])
        _ = silent.event(.begin)
        _ = silent.started(a)
        _ = silent.pass(.milliseconds(999))
        #expect(silent.state(a) == .starting)
        _ = silent.pass(.milliseconds(1))
        #expect(silent.state(a) == .ready)

        var speaking = Play([command])
        _ = speaking.event(.begin)
        _ = speaking.started(a)
        _ = speaking.event(.said(a, .hello(protocol: ControlProtocol.name, role: "", pid: 1)))
        _ = speaking.pass(.seconds(5))
        #expect(speaking.state(a) == .starting)
        _ = speaking.event(.said(a, .ready))
        #expect(speaking.state(a) == .ready)
    }

    @Test func aProbeMakesReadyAndUnreadyButNeverEnds() {
        let probe = ChildSpecification.Probe(.tcp(host: "::1", port: 1), failures: 2, successes: 2)
        var play = Play([ChildSpecification(name: "a", command: ["/bin/true"], probe: probe)])
        _ = play.event(.begin)
        _ = play.started(a)
        #expect(play.pass(.milliseconds(50)) == [.probe(a)])
        #expect(play.pass(.seconds(1)).isEmpty, "one probe at a time")
        _ = play.event(.probed(a, healthy: true))
        #expect(play.state(a) == .starting)
        #expect(play.pass(.milliseconds(200)) == [.probe(a)])
        _ = play.event(.probed(a, healthy: true))
        #expect(play.state(a) == .ready)
        for state in [ReplicaState.ready, .starting, .starting] {
            #expect(play.pass(.seconds(5)) == [.probe(a)])
            _ = play.event(.probed(a, healthy: false))
            #expect(play.state(a) == state)
        }
        #expect(play.pass(.seconds(600)) == [.probe(a)], "a start time-out holds before the first readiness only")
    }

    @Test func backoffGrowsAndIsForgottenAfterAMinuteOfReadiness() {
        var child = worker("a")
        child.breaker = nil
        var play = Play([child])
        _ = play.event(.begin)
        for wait in [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000] {
            _ = play.started(a)
            _ = play.exited(a, 1)
            #expect(play.pass(.milliseconds(wait - 1)).isEmpty)
            #expect(play.pass(.milliseconds(1)) == [.spawn(a)])
        }
        _ = play.started(a)
        _ = play.ready(a)
        _ = play.pass(.seconds(20))
        _ = play.event(.said(a, .extend(milliseconds: 60_000)))
        _ = play.pass(.seconds(40))
        #expect(play.exited(a, 1) == [.spawn(a)], "at once after it had been ready")
        _ = play.started(a)
        _ = play.ready(a)
        #expect(play.exited(a, 1).isEmpty, "but not twice in a row")
        #expect(play.pass(.milliseconds(500)) == [.spawn(a)])
    }

    struct Ending: Sendable, CustomTestStringConvertible {
        var restart: ChildSpecification.Restart
        var code: Int32
        var state: ReplicaState
        var testDescription: String { "\(restart) exits \(code): \(state)" }
    }

    @Test(arguments: [
        Ending(restart: .permanent, code: 0, state: .backoff), Ending(restart: .permanent, code: 1, state: .backoff),
        Ending(restart: .permanent, code: 78, state: .failed), Ending(restart: .transient, code: 0, state: .stopped),
        Ending(restart: .transient, code: 1, state: .backoff), Ending(restart: .transient, code: 78, state: .failed),
        Ending(restart: .temporary, code: 0, state: .stopped), Ending(restart: .temporary, code: 1, state: .failed),
    ])
    func restartPolicy(_ ending: Ending) {
        var play = Play([worker("a", restart: ending.restart), worker("b")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.exited(a, ending.code)
        #expect(play.state(a) == ending.state)
    }

    @Test func aStartTimeoutIsAFailureAndExtendProlongsIt() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.pass(.seconds(59))
        _ = play.event(.said(a, .extend(milliseconds: 10_000)))
        #expect(play.pass(.seconds(9)).isEmpty)
        #expect(play.pass(.seconds(1)) == [.signalGroup(a, Signals.terminate)])
        #expect(play.pass(.seconds(8)) == [.signalGroup(a, Signals.kill)])
        _ = play.event(.exited(a, .signalled(9), groupRemains: false))
        #expect(play.state(a) == .backoff)
        #expect(play.machine.replica(a)?.lastExit?.reason == "start timed out (killed by SIGKILL)")
    }

    @Test func whatALeaderLeavesBehindIsKilledBeforeTheRestart() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.ready(a)
        #expect(play.exited(a, 1, groupRemains: true) == [.signalGroup(a, Signals.kill)])
        #expect(play.pass(.seconds(3600)).isEmpty, "never two incarnations")
        #expect(play.event(.groupGone(a)) == [.spawn(a)])
    }

    @Test func aMissingProgramFails127AndIsTriedAgain() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.event(.spawnFailed(a, code: 127, reason: "command not found: x"))
        #expect(play.state(a) == .backoff)
        #expect(play.machine.replica(a)?.lastExit == .init(code: 127, signal: nil, reason: "command not found: x"))
        #expect(play.machine.replica(a)?.failuresInARow == 1)
    }

    @Test func stopGoesTierByTierInReverse() {
        var play = Play([worker("a"), worker("b", after: ["a"]), worker("c", after: ["b"])])
        _ = play.event(.begin)
        for id in [a, b, c] {
            _ = play.started(id)
            _ = play.ready(id)
        }
        // Eight seconds less the margin and half a second for each of the two tiers below, three quarters of it to
        // drain.
        #expect(play.event(.stopRequested) == [.send(c, .drain(deadline: 5063))])
        #expect(play.state(c) == .draining)
        let next = play.exited(c, 0)
        guard case .send(b, .drain)? = next.first, next.count == 1 else { return #expect(Bool(false), "\(next)") }
        #expect(play.pass(.seconds(6)) == [.signalGroup(b, Signals.terminate)])
        let last = play.exited(b, 0)
        guard case .send(a, .drain)? = last.first, last.count == 1 else { return #expect(Bool(false), "\(last)") }
        #expect(play.exited(a, 0) == [.end(0)])
    }

    @Test func aHungTierLeavesTimeForTheNext() {
        var play = Play([worker("a"), worker("b", after: ["a"])])
        _ = play.event(.begin)
        for id in [a, b] {
            _ = play.started(id)
            _ = play.ready(id)
        }
        _ = play.event(.stopRequested)
        var orders: [TreeAction] = []
        while !orders.contains(.signalGroup(b, Signals.kill)), let due = play.machine.nextDeadline {
            orders += play.pass(due - play.now)
        }
        #expect(orders == [.signalGroup(b, Signals.terminate), .signalGroup(b, Signals.kill)])
        #expect(play.now == .milliseconds(7250))
        _ = play.event(.exited(b, .signalled(9), groupRemains: false))
        #expect(play.exited(a, 0) == [.end(75)])
    }

    @Test func aSecondStopMeansNow() {
        var play = Play([worker("a"), worker("b", after: ["a"])])
        _ = play.event(.begin)
        for id in [a, b] {
            _ = play.started(id)
            _ = play.ready(id)
        }
        _ = play.event(.stopRequested)
        #expect(
            play.event(.stopRequested) == [.signalGroup(a, Signals.kill), .signalGroup(b, Signals.kill)]
        )
        _ = play.event(.exited(b, .signalled(9), groupRemains: false))
        #expect(play.event(.exited(a, .signalled(9), groupRemains: false)) == [.end(75)])
    }

    @Test func aProcessThatEvenAKillDoesNotEndIsLeftBehind() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.event(.stopRequested)
        _ = play.event(.stopRequested)
        #expect(play.pass(.seconds(2)) == [.end(75)])
    }

    @Test func stopDuringBackoffEndsAtOnceAndStartsNothing() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.exited(a, 1)
        #expect(play.event(.stopRequested) == [.end(0)])
        #expect(play.pass(.seconds(60)).isEmpty)
    }

    @Test func stopBetweenOrderAndSpawnEndsTheNewProcess() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        #expect(play.event(.stopRequested).isEmpty)
        #expect(play.started(a) == [.signalGroup(a, Signals.terminate)])
        #expect(play.exited(a, 0) == [.end(0)])
    }

    @Test func membersOfAGroupKeepTheirTimeDuringAStop() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.ready(a)
        _ = play.event(.stopRequested)
        #expect(play.exited(a, 0, groupRemains: true) == [.signalGroup(a, Signals.terminate)])
        #expect(play.event(.groupGone(a)) == [.end(0)])
    }

    @Test(arguments: [(Int32(0), Int32(0)), (1, 1)])
    func aTreeWithNothingLeftToDoEnds(code: Int32, treeCode: Int32) {
        var play = Play([worker("a", restart: .temporary), worker("b", restart: .transient)])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.started(b)
        #expect(play.exited(b, 0).isEmpty)
        #expect(play.exited(a, code) == [.end(treeCode)])
    }

    @Test(arguments: [(Int32(78), Int32(78)), (3, 70)])
    func aCriticalChildTakesTheTreeWithIt(code: Int32, treeCode: Int32) {
        var critical = worker("a", restart: .temporary)
        critical.critical = true
        var play = Play([critical, worker("b")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.started(b)
        #expect(play.exited(a, code) == [.signalGroup(b, Signals.terminate)])
        #expect(play.exited(b, 0) == [.end(treeCode)])
    }

    @Test func restForOne() {
        var play = Play([
            worker("a"), worker("b", after: ["a"], propagate: true), worker("c", after: ["b"]),
            worker("d", after: ["b"], restart: .temporary),
        ])
        let d = ReplicaID("d")
        _ = play.event(.begin)
        for id in [a, b, c, d] {
            _ = play.started(id)
            _ = play.ready(id)
        }
        let orders = play.event(.exited(b, .signalled(9), groupRemains: false))
        #expect(orders.count == 2, "c and d drain; b waits for them: \(orders)")
        #expect(play.exited(c, 0).isEmpty)
        #expect(play.exited(d, 0) == [.spawn(b)])
        _ = play.started(b)
        #expect(play.ready(b) == [.spawn(c)], "a temporary bystander does not return")
        #expect(play.state(a) == .ready)
        #expect(play.state(d) == .stopped)
    }

    @Test func aCrashWithoutPropagateLeavesOthersAlone() {
        var play = Play([worker("a"), worker("b", after: ["a"])])
        _ = play.event(.begin)
        for id in [a, b] {
            _ = play.started(id)
            _ = play.ready(id)
        }
        #expect(play.exited(a, 1) == [.spawn(a)])
        #expect(play.exited(b, 1) == [.spawn(b)], "its dependencies held back the first start only")
    }
}
