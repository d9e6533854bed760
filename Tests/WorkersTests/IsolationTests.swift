import Foundation
import Messaging
import Model
import Processes
import TestSupport
import Testing

@testable import Messaging
@testable import Workers

@Suite struct IsolationTests {
    private let folder: TemporaryFolder
    private let suspects: Suspects

    init() throws {
        folder = try TemporaryFolder()
        suspects = Self.suspects(folder.url.path)
    }

    private static func suspects(_ dataFolder: String, generation: Int = 1) -> Suspects {
        Suspects(dataFolder: dataFolder, stage: "parse", generation: LiveGeneration(generation))
    }

    private static func delivery(
        _ id: String?,
        count: Int = 1,
        isIsolated: Bool = false,
        body: String? = nil,
        replay: String? = nil
    )
        -> Delivery
    {
        Delivery(
            body: Array((body ?? "[\(id ?? "")]").utf8),
            type: nil,
            messageID: id,
            headers: WireHeaders(pipeline: "desk", isIsolated: isIsolated, replay: replay),
            timestamp: nil,
            redelivered: count > 0,
            deliveryCount: count,
            queue: "desk.parse",
            routingKey: "parse",
            deathReason: nil,
            deathQueue: nil,
            firstDeathQueue: nil,
            tag: 1,
            epoch: 1
        )
    }

    private func delivery(
        _ id: String?,
        count: Int = 1,
        isIsolated: Bool = false,
        body: String? = nil,
        replay: String? = nil
    )
        -> Delivery
    { Self.delivery(id, count: count, isIsolated: isIsolated, body: body, replay: replay) }

    /// A process that dies while it has the message in hand.
    private static func die(over id: String, in dataFolder: String, generation: Int = 1, by death: () -> Void) {
        CrashNotes.begin()
        let hold = suspects(dataFolder, generation: generation).hold(delivery(id))
        death()
        withExtendedLifetime(hold) {}
    }

    private var notes: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/suspects/parse")) ?? []
    }

    @Test func suspectsWereHandedOutBeforeOrSplitOff() {
        #expect(!Suspects.isSuspect(delivery("a", count: 0)))
        #expect(Suspects.isSuspect(delivery("a", count: 1)))
        #expect(Suspects.isSuspect(delivery("a", count: 0, isIsolated: true)))
    }

    @Test func crashesAreToldFromKills() async throws {
        let data = folder.url.path
        await #expect(processExitsWith: .signal(SIGABRT)) { [data = data as String] in
            Self.die(over: "a", in: data) { abort() }
        }
        await #expect(processExitsWith: .signal(SIGKILL)) { [data = data as String] in
            Self.die(over: "a", in: data) { _ = kill(getpid(), SIGKILL) }
        }
        await #expect(processExitsWith: .signal(SIGSEGV)) { [data = data as String] in
            Self.die(over: "a", in: data) { _ = UnsafePointer<Int>(bitPattern: 8)!.pointee.description }
        }
        let hold = try #require(suspects.hold(delivery("a")))
        #expect(hold.evidence == Suspects.Evidence(crashes: 2, kills: 1))
        #expect(suspects.hold(delivery("b"))?.evidence == Suspects.Evidence())
        // Remembered as it was found, but not for a replay.
        hold.remember()
        hold.withdraw()
        #expect(suspects.hold(delivery("a", replay: "r1"))?.evidence.deaths == 0)
        #expect(suspects.hold(delivery("a"))?.evidence == Suspects.Evidence(crashes: 2, kills: 1))
        #expect(
            suspects.hold(delivery("a"))?.evidence == Suspects.Evidence(),
            "a hold that ended in order is no evidence"
        )
    }

    /// What crashed may be mended by then.
    @Test func evidenceHoldsForTheGenerationItWasFoundUnder() async throws {
        let data = folder.url.path
        await #expect(processExitsWith: .signal(SIGABRT)) { [data = data as String] in
            Self.die(over: "a", in: data) { abort() }
        }
        #expect(Self.suspects(data, generation: 2).hold(delivery("a"))?.evidence.deaths == 0)
    }

    @Test func whatIsWithdrawnIsNoEvidence() async throws {
        let data = folder.url.path
        await #expect(processExitsWith: .signal(SIGABRT)) { [data = data as String] in
            CrashNotes.begin()
            let hold = Self.suspects(data).hold(Self.delivery("a"))
            hold?.withdraw()
            abort()
        }
        #expect(suspects.hold(delivery("a"))?.evidence.deaths == 0)
    }

    @Test func aLargePageIsKnownByItsContentToo() throws {
        let (first, edited) = (String(repeating: "x", count: 9_000), String(repeating: "x", count: 9_001))
        let hold = suspects.hold(delivery("page", body: first))
        #expect(suspects.hold(delivery("page", body: first)) == nil)
        #expect(suspects.hold(delivery("page", body: edited)) != nil)
        withExtendedLifetime(hold) {}
    }

    @Test func aHoldThatEndsInOrderLeavesNothing() {
        for _ in 0..<3 {
            let hold = suspects.hold(delivery("a"))
            #expect(hold?.evidence.deaths == 0)
            #expect(notes.count == 1)
            withExtendedLifetime(hold) {}
        }
        #expect(notes.isEmpty)
    }

    @Test func whatAnotherActsOnNowIsNoEvidence() {
        var hold = suspects.hold(delivery("a"))
        #expect(hold != nil)
        #expect(suspects.hold(delivery("a")) == nil)
        hold = nil
        #expect(suspects.hold(delivery("a"))?.evidence.deaths == 0)
    }

    @Test func aMessageWithoutAnIDIsKnownByItsBody() {
        let hold = suspects.hold(delivery(nil, body: "[1]"))
        #expect(suspects.hold(delivery(nil, body: "[1]")) == nil)
        #expect(suspects.hold(delivery(nil, body: "[2]")) != nil)
        withExtendedLifetime(hold) {}
    }

    @Test(arguments: [
        // crashes, kills, deliveries before, isolated, elements
        (0, 0, 0, false, 100, Isolation.Verdict.act), (0, 0, 3, false, 100, .act), (0, 0, 9, true, 1, .act),
        (0, 0, 10, false, 100, .renew), (0, 0, 19, true, 1, .renew), (1, 0, 15, false, 100, .split),
        (1, 0, 2, false, 100, .split), (2, 0, 3, false, 100, .split), (3, 0, 4, false, 100, .bury),
        (1, 0, 2, false, 1, .act), (2, 0, 3, false, 1, .bury), (1, 0, 1, true, 1, .act), (2, 0, 2, true, 1, .bury),
        // Whoever kills workers buries nothing by it.
        (0, 1, 1, false, 100, .split), (0, 2, 2, false, 100, .split), (0, 3, 3, false, 100, .postpone),
        (0, 1, 1, true, 1, .act), (0, 2, 2, true, 1, .act), (0, 3, 3, true, 1, .postpone),
        (0, 9, 9, false, 1, .postpone),
        (1, 1, 2, true, 1, .act), (1, 2, 3, true, 1, .postpone), (2, 1, 3, true, 1, .bury),
    ]) func whatHappensToADelivery(
        _ crashes: Int,
        _ kills: Int,
        _ count: Int,
        _ isolated: Bool,
        _ elements: Int,
        _ expected: Isolation.Verdict
    ) {
        let evidence = Suspects.Evidence(crashes: crashes, kills: kills)
        let verdict = Isolation.verdict(evidence, deliveryCount: count, isIsolated: isolated) { elements }
        #expect(verdict == expected)
    }

    @Test func nothingIsTakenApartUnlessSomebodyDied() {
        _ = Isolation.verdict(Suspects.Evidence(), deliveryCount: 5, isIsolated: false) {
            Issue.record("taken apart")
            return 1
        }
    }
}
