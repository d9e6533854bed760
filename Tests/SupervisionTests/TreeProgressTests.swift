import Model
import Processes
import Testing

@testable import Supervision

/// A worker that has work at hand and finishes none of it is stuck, though it beats.
@Suite struct TreeProgressTests {
    private let a = ReplicaID("a")
    private let b = ReplicaID("b")

    /// `a` is ready, and `b`, which depends on it.
    private func play() -> Play {
        var play = Play([worker("a"), worker("b", after: ["a"])])
        _ = play.event(.begin)
        for id in [a, b] {
            _ = play.started(id)
            _ = play.ready(id)
        }
        return play
    }

    /// One heartbeat of `b` every five seconds, while `a` beats too.
    private func beat(_ play: inout Play, for time: Duration, _ heartbeat: (Int) -> ChildMessage) -> [TreeAction] {
        var orders: [TreeAction] = []
        for turn in 0..<Int(time / .seconds(5)) {
            orders += play.event(.said(a, .heartbeat(sequence: 1, progress: 0)))
            orders += play.event(.said(b, heartbeat(turn)))
            orders += play.pass(.seconds(5))
        }
        return orders
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var heartbeat: @Sendable (Int) -> ChildMessage
    }

    @Test(arguments: [
        Case(testDescription: "does not tell its backlog") { .heartbeat(sequence: UInt64($0), progress: 0) },
        Case(testDescription: "has nothing at hand") { .heartbeat(sequence: UInt64($0), progress: 7, backlog: 0) },
        Case(testDescription: "finishes something") {
            .heartbeat(sequence: UInt64($0), progress: UInt64($0), backlog: 3)
        },
        Case(testDescription: "finishes something once a minute") {
            .heartbeat(sequence: UInt64($0), progress: UInt64($0 / 12), backlog: 3)
        },
        Case(testDescription: "is idle now and then") {
            .heartbeat(sequence: UInt64($0), progress: 7, backlog: $0 % 20 == 0 ? 0 : 3)
        },
        Case(testDescription: "waits for a service that is away") {
            .heartbeat(sequence: UInt64($0), progress: 7, backlog: 3, waiting: "the database")
        },
    ])
    func isLeftAlone(_ this: Case) {
        var play = play()
        #expect(beat(&play, for: .seconds(900), this.heartbeat).isEmpty)
        #expect(play.state(b) == .ready)
    }

    @Test func isEndedAfterTwoMinutesAndThatIsAFailure() {
        var play = play()
        let stuck: (Int) -> ChildMessage = { .heartbeat(sequence: UInt64($0), progress: 7, backlog: 3) }
        #expect(beat(&play, for: .seconds(115), stuck).isEmpty)
        #expect(play.pass(.seconds(4)).isEmpty)
        #expect(play.pass(.seconds(1)) == [.signalLeader(b, Signals.abort)])
        #expect(play.pass(.seconds(5)) == [.signalGroup(b, Signals.kill)])
        #expect(play.event(.exited(b, .signalled(9), groupRemains: false)) == [.spawn(b)])
        let replica = play.machine.replica(b)
        #expect(replica?.lastExit?.reason == "it had work and finished none of it (killed by SIGKILL)")
        #expect(replica?.breaker?.failures(at: play.now) == 1)
    }

    @Test func theTimeBeginsAnewWhenADependencyReturns() {
        var play = play()
        let stuck: (Int) -> ChildMessage = { .heartbeat(sequence: UInt64($0), progress: 7, backlog: 3) }
        #expect(beat(&play, for: .seconds(100), stuck).isEmpty)
        #expect(play.exited(a, 1) == [.spawn(a)])
        _ = play.started(a)
        // `a` takes half a minute to become ready again, and `b` cannot work meanwhile.
        for _ in 0..<6 {
            #expect(play.event(.said(b, stuck(0))).isEmpty)
            #expect(play.pass(.seconds(5)).isEmpty)
        }
        _ = play.ready(a)
        #expect(beat(&play, for: .seconds(115), stuck).isEmpty)
        #expect(play.pass(.seconds(5)) == [.signalLeader(b, Signals.abort)])
    }

    @Test func extendProlongsIt() {
        var play = play()
        #expect(play.event(.said(b, .heartbeat(sequence: 1, progress: 7, backlog: 3))).isEmpty)
        #expect(play.event(.said(b, .extend(milliseconds: 300_000))).isEmpty)
        #expect(play.event(.said(a, .extend(milliseconds: 400_000))).isEmpty)
        #expect(play.pass(.seconds(299)).isEmpty)
        #expect(play.pass(.seconds(1)).first == .signalLeader(b, Signals.abort))
    }

    @Test func aSupervisorThatWasHeldUpJudgesNobody() {
        var play = play()
        #expect(play.event(.said(b, .heartbeat(sequence: 1, progress: 7, backlog: 3))).isEmpty)
        play.now += .seconds(3600)
        #expect(play.event(.heldUp).isEmpty)
        #expect(play.state(b) == .ready)
    }
}

@Suite struct RateMeterTests {
    @Test func countsTheChangeOfTheLastTenSeconds() {
        var meter = RateMeter()
        #expect(meter.rates(at: .seconds(1)).isEmpty)
        meter.start(at: .seconds(100))
        meter.add(["done": 50, "level": -3], at: .seconds(102))
        #expect(meter.rates(at: .seconds(105)) == ["done": 10, "level": -0.6])
        for second in 103...130 { meter.add(["done": Int64(second - 102) * 20], at: .seconds(second)) }
        #expect(meter.rates(at: .seconds(130)) == ["done": 20])
        #expect(meter.rates(at: .seconds(135)) == ["done": 10], "it stopped five seconds ago")
        #expect(meter.rates(at: .seconds(1000)) == ["done": 0])
        meter.start(at: .seconds(1000))
        #expect(meter.rates(at: .seconds(1001)).isEmpty)
    }

    @Test func aFloodOfCountersAndOddNumbersAreHarmless() {
        var meter = RateMeter()
        meter.start(at: .zero)
        for number in 0..<100_000 { meter.add(["n": Int64(number)], at: .milliseconds(number / 10)) }
        #expect(meter.rates(at: .seconds(10)) == ["n": 9999.9])
        meter.add(["n": .max], at: .seconds(11))
        meter.add(["n": .min], at: .seconds(12))
        #expect(meter.rates(at: .seconds(12))["n"]! < 0)
    }
}
