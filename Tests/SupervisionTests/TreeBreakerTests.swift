import Model
import Processes
import Testing

@testable import Supervision

/// Breaker, heartbeats, and what operators ask for, as judged by the state machine.
@Suite struct TreeBreakerTests {
    private let a = ReplicaID("a")
    private let b = ReplicaID("b")

    /// Fails as fast as it is started until its breaker opens.
    private func opened(_ children: [ChildSpecification]) -> (play: Play, orders: [TreeAction]) {
        var play = Play(children)
        _ = play.event(.begin)
        var orders: [TreeAction] = []
        for _ in 0..<5 {
            _ = play.started(a)
            orders = play.exited(a, 1)
            if play.state(a) == .backoff { _ = play.pass(.seconds(5)) }
        }
        return (play, orders)
    }

    @Test func fiveFailuresOpenItAndItsSiblingsGoOn() {
        var (play, _) = opened([worker("a"), worker("b")])
        _ = play.started(b)
        _ = play.ready(b)
        #expect(play.state(a) == .open)
        #expect(play.state(b) == .ready)
        #expect(play.machine.state(degraded: false) == .degraded)
        #expect(play.machine.replica(a)?.starts == 5)
        #expect(play.pass(.milliseconds(29_999)).isEmpty)
        #expect(play.event(.said(b, .heartbeat(sequence: 1, progress: 0))).isEmpty)
        #expect(play.pass(.milliseconds(1)) == [.spawn(a)])
        #expect(play.state(a) == .halfOpen)
    }

    @Test func theProbeStartDecides() {
        var (play, _) = opened([worker("a")])
        _ = play.pass(.seconds(30))
        _ = play.started(a)
        #expect(play.exited(a, 1).isEmpty)
        #expect(play.state(a) == .open)
        #expect(play.pass(.milliseconds(59_999)).isEmpty)
        #expect(play.pass(.milliseconds(1)) == [.spawn(a)])
        _ = play.started(a)
        _ = play.ready(a)
        _ = play.pass(.milliseconds(29_000))
        #expect(play.state(a) == .halfOpen)
        _ = play.event(.said(a, .heartbeat(sequence: 1, progress: 0)))
        _ = play.pass(.seconds(1))
        #expect(play.state(a) == .ready)
        #expect(play.machine.replica(a)?.breaker == Breaker(Breaker.Settings()))
    }

    @Test func withoutABreakerItIsRestartedForEver() {
        var child = worker("a")
        child.breaker = nil
        var play = Play([child])
        _ = play.event(.begin)
        for _ in 0..<1000 {
            _ = play.started(a)
            _ = play.exited(a, 1)
            #expect(play.pass(.seconds(30)) == [.spawn(a)])
        }
    }

    @Test func anOpenBreakerOfACriticalChildEndsTheTree() {
        var child = worker("a")
        child.critical = true
        var (play, orders) = opened([child, worker("b")])
        #expect(orders.isEmpty, "b was ordered and never answered")
        _ = play.started(b)
        #expect(play.exited(b, 0) == [.end(70)])
    }

    @Test func cleanExitsAreNoFailures() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        for _ in 0..<20 {
            _ = play.started(a)
            _ = play.exited(a, 0)
            #expect(play.pass(.seconds(30)) == [.spawn(a)])
        }
        #expect(play.machine.replica(a)?.breaker?.failures(at: play.now) == 0)
    }

    @Test func whatOperatorsAndDependenciesDoIsNoFailure() {
        var play = Play([worker("a", propagate: true), worker("b", after: ["a"])])
        _ = play.event(.begin)
        for id in [a, b] {
            _ = play.started(id)
            _ = play.ready(id)
        }
        for _ in 0..<20 {
            let orders = play.event(.restartRequested([a]))
            #expect(orders.count == 2, "both are told to drain: \(orders)")
            #expect(play.exited(a, 0).isEmpty, "it waits for its dependant")
            #expect(play.event(.exited(b, .signalled(15), groupRemains: false)) == [.spawn(a)])
            _ = play.started(a)
            #expect(play.ready(a) == [.spawn(b)])
            _ = play.started(b)
            _ = play.ready(b)
        }
        for id in [a, b] { #expect(play.machine.replica(id)?.breaker?.failures(at: play.now) == 0) }
    }

    @Test func startTimeoutsAndMissedHeartbeatsAreFailures() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.pass(.seconds(60))
        _ = play.event(.exited(a, .signalled(15), groupRemains: false))
        #expect(play.machine.replica(a)?.breaker?.failures(at: play.now) == 1)
        _ = play.pass(.seconds(1))
        _ = play.started(a)
        _ = play.ready(a)
        #expect(play.pass(.seconds(30)) == [.signalLeader(a, Signals.abort)])
        _ = play.event(.exited(a, .signalled(6), groupRemains: false))
        #expect(play.machine.replica(a)?.lastExit?.reason == "heartbeats stopped (killed by SIGABRT)")
        #expect(play.machine.replica(a)?.breaker?.failures(at: play.now) == 2)
    }

    // MARK: Heartbeats

    private func readyWorker(_ child: ChildSpecification = worker("a")) -> Play {
        var play = Play([child])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.ready(a)
        return play
    }

    @Test func sixMissedBeatsEndItAndFiveDoNot() {
        var play = readyWorker()
        for beat in 1...20 {
            #expect(play.pass(.milliseconds(29_999)).isEmpty)
            _ = play.event(.said(a, .heartbeat(sequence: UInt64(beat), progress: 0)))
        }
        #expect(play.state(a) == .ready)
        #expect(play.pass(.seconds(30)) == [.signalLeader(a, Signals.abort)])
        #expect(play.state(a) == .draining)
        #expect(play.pass(.milliseconds(4999)).isEmpty)
        #expect(play.pass(.milliseconds(1)) == [.signalGroup(a, Signals.kill)])
        #expect(play.event(.exited(a, .signalled(9), groupRemains: false)) == [.spawn(a)])
    }

    @Test func whatAnAbortedChildLeavesBehindIsKilled() {
        var play = readyWorker()
        _ = play.pass(.seconds(30))
        let orders = play.event(.exited(a, .signalled(6), groupRemains: true))
        #expect(orders == [.signalGroup(a, Signals.kill)])
        #expect(play.event(.groupGone(a)) == [.spawn(a)])
    }

    @Test func judgementPausesWhenTheSupervisorWasHeldUp() {
        var play = readyWorker()
        play.now += .seconds(500)
        #expect(play.event(.heldUp).isEmpty)
        #expect(play.pass(.milliseconds(29_999)).isEmpty)
        #expect(play.pass(.milliseconds(1)) == [.signalLeader(a, Signals.abort)])
    }

    @Test func onlyWhatSpeaksIsJudged() {
        var play = Play([ChildSpecification(name: "a", command: ["/bin/true"])])
        _ = play.event(.begin)
        _ = play.started(a)
        #expect(play.pass(.seconds(3600)).isEmpty)
        #expect(play.state(a) == .ready)

        var job = Play([ChildSpecification(name: "a", command: ["/bin/true"], kind: .job)])
        _ = job.event(.begin)
        _ = job.started(a)
        _ = job.ready(a)
        #expect(job.pass(.seconds(3600)).isEmpty)
    }

    @Test func extendCoversALongSilence() {
        var play = readyWorker()
        _ = play.event(.said(a, .extend(milliseconds: 100_000)))
        #expect(play.pass(.milliseconds(99_999)).isEmpty)
        #expect(play.pass(.milliseconds(1)) == [.signalLeader(a, Signals.abort)])
    }

    @Test func latenessIsMeasuredAgainstTheWait() {
        var lateness = Lateness()
        var now = Duration.zero
        func turn(_ wait: Duration, atMost limit: Int32, after work: Duration = .zero) -> Bool {
            now += work
            defer { now += wait }
            return lateness.turn(waitedFrom: now, atMost: limit, until: now + wait)
        }
        #expect(turn(.seconds(3), atMost: 2900) == false)
        #expect(turn(.seconds(3), atMost: 1900) == true)
        #expect(turn(.seconds(3000), atMost: -1) == false)
        #expect(turn(.zero, atMost: 0, after: .seconds(2)) == true)
        #expect(turn(.zero, atMost: 0, after: .milliseconds(900)) == false)
    }

    // MARK: Operators

    @Test func aRestartDuringABackoffIsOneIncarnation() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.exited(a, 1)
        #expect(play.event(.restartRequested([a])) == [.spawn(a)])
        #expect(play.event(.restartRequested([a])).isEmpty)
        _ = play.started(a)
        #expect(play.pass(.seconds(29)).isEmpty)
    }

    @Test func aRestartWaitsForTheWholeGroup() {
        var play = readyWorker()
        guard case .send(a, .drain)? = play.event(.restartRequested([a])).first else {
            return #expect(Bool(false), "it is told to drain")
        }
        #expect(play.event(.restartRequested([a])).isEmpty)
        #expect(play.exited(a, 0, groupRemains: true) == [.signalGroup(a, Signals.terminate)])
        #expect(play.pass(.seconds(8)) == [.signalGroup(a, Signals.kill)])
        #expect(play.event(.groupGone(a)) == [.spawn(a)])
    }

    @Test func aRestartWhileACrashIsClearedAwayStartsAtOnce() {
        var play = Play([worker("a")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.exited(a, 1, groupRemains: true)
        #expect(play.event(.restartRequested([a])).isEmpty)
        #expect(play.event(.groupGone(a)) == [.spawn(a)])
    }

    @Test func aRestartOfAnOpenChildIsItsProbe() {
        var (play, _) = opened([worker("a")])
        #expect(play.event(.restartRequested([a])) == [.spawn(a)])
        #expect(play.state(a) == .halfOpen)
        _ = play.started(a)
        #expect(play.exited(a, 1).isEmpty)
        #expect(play.state(a) == .open)
    }

    @Test func aResetClosesTheBreakerAndStarts() {
        var (play, _) = opened([worker("a")])
        #expect(play.event(.resetRequested([a])) == [.spawn(a)])
        #expect(play.state(a) == .starting)
        #expect(play.machine.replica(a)?.breaker == Breaker(Breaker.Settings()))
    }

    @Test(arguments: [TreeEvent.restartRequested([ReplicaID("a")]), .resetRequested([ReplicaID("a")])])
    func whatHasFailedForGoodStartsWhenAsked(event: TreeEvent) {
        var play = Play([worker("a"), worker("b")])
        _ = play.event(.begin)
        _ = play.started(a)
        _ = play.exited(a, 78)
        #expect(play.state(a) == .failed)
        #expect(play.event(event) == [.spawn(a)])
    }

    @Test func nothingIsRestartedOnceTheTreeStops() {
        var play = readyWorker()
        _ = play.event(.stopRequested)
        #expect(play.event(.restartRequested([a])).isEmpty)
        #expect(play.exited(a, 0) == [.end(0)])
    }
}
