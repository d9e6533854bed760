import Model
import Testing

@Suite struct BreakerTests {
    private func seconds(_ count: Int) -> Duration { .seconds(count) }

    /// Opens it by failures at one moment.
    private func opened(at now: Duration, _ settings: Breaker.Settings = Breaker.Settings()) -> Breaker {
        var breaker = Breaker(settings)
        for _ in 0..<settings.failures { _ = breaker.failed(at: now) }
        return breaker
    }

    @Test func fiveFailuresWithinTheWindowOpenIt() {
        var breaker = Breaker(Breaker.Settings())
        for failure in 0..<4 {
            #expect(breaker.failed(at: seconds(failure * 14)) == false)
            breaker.succeeded()
        }
        #expect(breaker.failed(at: seconds(56)) == true)
        #expect(breaker.state == .open(until: seconds(86)))
    }

    @Test func failuresApartFromEachOtherDoNot() {
        var breaker = Breaker(Breaker.Settings())
        for failure in 0..<100 {
            #expect(breaker.failed(at: seconds(failure * 15)) == false)
            breaker.succeeded()
        }
        #expect(breaker.failures(at: seconds(99 * 15)) == 4)
        #expect(breaker.failures(at: seconds(100 * 15 + 60)) == 0)
    }

    @Test func fiveInARowWithoutAStableTimeOpenItHoweverSlowly() {
        var breaker = Breaker(Breaker.Settings())
        for failure in 0..<4 { #expect(breaker.failed(at: seconds(failure * 1000)) == false) }
        #expect(breaker.failed(at: seconds(4000)) == true)
    }

    @Test func openAdmitsNothingAndHalfOpenOneAttempt() {
        var breaker = opened(at: .zero)
        #expect(breaker.admit(at: .milliseconds(29_999)) == false)
        #expect(breaker.state == .open(until: seconds(30)))
        #expect(breaker.admit(at: seconds(30)) == true)
        #expect(breaker.state == .halfOpen)
    }

    @Test func openDoublesUpToTenMinutes() {
        var breaker = opened(at: .zero)
        var now = seconds(0)
        for length in [30, 60, 120, 240, 480, 600, 600] {
            #expect(breaker.state == .open(until: now + seconds(length)))
            now += seconds(length)
            #expect(breaker.admit(at: now) == true)
            #expect(breaker.failed(at: now) == true, "one failure opens it again")
        }
    }

    @Test func aStableAttemptClosesItAndForgetsEverything() {
        var breaker = opened(at: .zero)
        _ = breaker.admit(at: seconds(30))
        breaker.succeeded()
        #expect(breaker == Breaker(Breaker.Settings()))
        #expect(opened(at: seconds(70)).state == .open(until: seconds(100)))
    }

    @Test func somebodyMayAskForTheAttemptEarly() {
        var breaker = opened(at: .zero)
        #expect(breaker.admit(at: seconds(1), early: true) == true)
        #expect(breaker.state == .halfOpen)
    }

    @Test func resettingForgetsFailures() {
        var breaker = opened(at: .zero)
        breaker.reset()
        #expect(breaker == Breaker(Breaker.Settings()))
    }

    @Test(arguments: [
        (Backoff(), 5, 60, true), (Backoff(initial: .seconds(30)), 5, 60, false),
        (Backoff(initial: .seconds(30)), 2, 1, true),
        (Backoff(initial: .seconds(20), factor: 1, jitter: 0), 5, 61, true),
        (Backoff(initial: .seconds(20), factor: 1, jitter: 0), 5, 60, false), (Backoff(), 1000, 60, false),
    ])
    func aWindowThatNoBackoffFills(backoff: Backoff, failures: Int, window: Int, isReachable: Bool) {
        let settings = Breaker.Settings(failures: failures, window: .seconds(window))
        #expect(settings.isReachable(with: backoff) == isReachable)
    }
}
