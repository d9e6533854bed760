import Foundation
import Messaging
import Model
import TestSupport
import Testing

@testable import Messaging
@testable import Workers

@Suite struct IsolationTests {
    private let folder: TemporaryFolder
    private let suspects: Suspects

    init() throws {
        folder = try TemporaryFolder()
        suspects = Suspects(dataFolder: folder.url.path, stage: "parse")
    }

    private func delivery(
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

    private var notes: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/suspects/parse")) ?? []
    }

    @Test func suspectsWereHandedOutBeforeOrSplitOff() {
        #expect(!Suspects.isSuspect(delivery("a", count: 0)))
        #expect(Suspects.isSuspect(delivery("a", count: 1)))
        #expect(Suspects.isSuspect(delivery("a", count: 0, isIsolated: true)))
    }

    @Test func whatIsRememberedIsFoundAgainButNotByAReplay() throws {
        var hold = suspects.hold(delivery("a"))
        let note = folder.url.appending(path: "suspects/parse/\(try #require(notes.first))")
        hold = nil
        try Data("2".utf8).write(to: note)
        hold = suspects.hold(delivery("a"))
        hold?.remember()
        hold = nil
        #expect(hold == nil && notes.count == 1)
        #expect(suspects.hold(delivery("a", replay: "r1"))?.deaths == 0)
        #expect(suspects.hold(delivery("a"))?.deaths == 2)
    }

    @Test func aHoldThatEndsInOrderLeavesNothing() {
        for _ in 0..<3 {
            let hold = suspects.hold(delivery("a"))
            #expect(hold?.deaths == 0)
            #expect(notes.count == 1)
            withExtendedLifetime(hold) {}
        }
        #expect(notes.isEmpty)
    }

    /// What a killed process leaves: its note, and no lock on it.
    @Test func deathsAreCountedForThatMessageAlone() throws {
        do {
            let hold = try #require(suspects.hold(delivery("a")))
            let note = folder.url.appending(path: "suspects/parse/\(try #require(notes.first))")
            let content = try Data(contentsOf: note)
            withExtendedLifetime(hold) {}
            #expect(String(decoding: content, as: UTF8.self) == "1")
        }
        let path = folder.url.appending(path: "suspects/parse")
        let before = Set(notes)
        var hold = suspects.hold(delivery("a"))
        let name = try #require(Set(notes).subtracting(before).first)
        hold = nil
        #expect(hold == nil)
        try Data("2".utf8).write(to: path.appending(path: name))
        #expect(suspects.hold(delivery("b"))?.deaths == 0)
        #expect(suspects.hold(delivery("a"))?.deaths == 2)
        #expect(suspects.hold(delivery("a"))?.deaths == 0)
    }

    @Test func whatAnotherActsOnNowIsNoEvidence() {
        var hold = suspects.hold(delivery("a"))
        #expect(hold != nil)
        #expect(suspects.hold(delivery("a")) == nil)
        hold = nil
        #expect(suspects.hold(delivery("a"))?.deaths == 0)
    }

    @Test func aMessageWithoutAnIDIsKnownByItsBody() {
        let hold = suspects.hold(delivery(nil, body: "[1]"))
        #expect(suspects.hold(delivery(nil, body: "[1]")) == nil)
        #expect(suspects.hold(delivery(nil, body: "[2]")) != nil)
        withExtendedLifetime(hold) {}
    }

    @Test(arguments: [
        // deaths, deliveries before, isolated, elements
        (0, 0, false, 100, Isolation.Verdict.act), (0, 3, false, 100, .act), (0, 9, true, 1, .act),
        (0, 10, false, 100, .renew), (0, 19, true, 1, .renew), (1, 2, false, 100, .split), (2, 3, false, 100, .split),
        (3, 4, false, 100, .bury), (1, 2, false, 1, .act), (2, 3, false, 1, .bury), (1, 1, true, 1, .act),
        (2, 2, true, 1, .bury), (1, 15, false, 100, .split),
    ]) func whatHappensToADelivery(
        _ deaths: Int,
        _ count: Int,
        _ isolated: Bool,
        _ elements: Int,
        _ expected: Isolation.Verdict
    ) {
        let verdict = Isolation.verdict(deaths: deaths, deliveryCount: count, isIsolated: isolated) { elements }
        #expect(verdict == expected)
    }

    @Test func nothingIsTakenApartUnlessSomebodyDied() {
        _ = Isolation.verdict(deaths: 0, deliveryCount: 5, isIsolated: false) {
            Issue.record("taken apart")
            return 1
        }
    }
}
