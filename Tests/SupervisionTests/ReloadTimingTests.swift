import Model
import Testing

@testable import Supervision

@Suite struct ReloadTimingTests {
    @Test func aHundredEditsInASecondAreOneCheck() {
        var timing = ReloadTiming()
        var checks = 0
        for edit in 0..<100 {
            let now = Duration.milliseconds(edit * 10)
            timing.filesChanged(at: now)
            if timing.tick(at: now) == .startCheck { checks += 1 }
        }
        #expect(checks == 0)
        #expect(timing.nextDeadline == .milliseconds(990) + timing.quiet)
        #expect(timing.tick(at: .milliseconds(1090)) == .startCheck)
        #expect(timing.checked(at: .milliseconds(1200)) == .accept)
        #expect(timing.count == 1)
        #expect(timing.checkEnded() == true)
        #expect(timing.nextDeadline == nil)
    }

    @Test func anEditDuringACheckMakesItCountForNothing() {
        var timing = ReloadTiming()
        timing.filesChanged(at: .zero)
        #expect(timing.tick(at: .milliseconds(100)) == .startCheck)
        timing.filesChanged(at: .milliseconds(150))
        #expect(timing.checked(at: .milliseconds(300)) == .giveUp(nil))
        // The next one waits until the process is gone.
        #expect(timing.tick(at: .milliseconds(310)) == nil)
        #expect(timing.checkEnded() == false)
        #expect(timing.tick(at: .milliseconds(320)) == .startCheck)
        #expect(timing.checked(at: .milliseconds(400)) == .accept)
        #expect(timing.count == 1)
    }

    @Test func anEditAfterTheAcceptanceIsAnotherReload() {
        var timing = ReloadTiming()
        timing.asked(at: .zero)
        _ = timing.tick(at: .zero)
        #expect(timing.checked(at: .milliseconds(50)) == .accept)
        #expect(timing.nextNumber == 2)
        timing.filesChanged(at: .milliseconds(60))
        #expect(timing.checkEnded() == true)
        #expect(timing.tick(at: .milliseconds(160)) == .startCheck)
    }

    @Test func editsWithoutEndDoNotHoldItUpForEver() {
        var timing = ReloadTiming()
        var accepted: Duration?
        for step in 0..<2000 where accepted == nil {
            let now = Duration.milliseconds(step * 10)
            timing.filesChanged(at: now)
            guard timing.tick(at: now) == .startCheck else { continue }
            timing.filesChanged(at: now + .milliseconds(5))
            switch timing.checked(at: now + .milliseconds(6)) {
            case .accept: accepted = now
            default: _ = timing.checkEnded()
            }
        }
        #expect(accepted.map { $0 <= .seconds(11) } == true)
    }

    @Test func aCheckThatHangsIsGivenUpAndSaid() {
        var timing = ReloadTiming()
        timing.asked(at: .zero)
        _ = timing.tick(at: .zero)
        #expect(timing.nextDeadline == timing.limit)
        guard case .giveUp(let reason?) = timing.tick(at: timing.limit) else {
            Issue.record("the check goes on")
            return
        }
        #expect(reason.contains("60s"))
        #expect(timing.count == 1)
        #expect(timing.checkEnded() == false)
    }

    @Test func aCheckThatDiesCountsAsAReloadThatFailed() {
        var timing = ReloadTiming()
        timing.asked(at: .zero)
        _ = timing.tick(at: .zero)
        #expect(timing.checkEnded() == true)
        #expect(timing.count == 1)
    }

    @Test func oneThatIsAskedForNeedsNoQuiet() {
        var timing = ReloadTiming()
        timing.filesChanged(at: .zero)
        timing.asked(at: .milliseconds(1))
        #expect(timing.tick(at: .milliseconds(1)) == .startCheck)
        #expect(timing.nextDeadline == .milliseconds(1) + timing.limit)
    }
}
