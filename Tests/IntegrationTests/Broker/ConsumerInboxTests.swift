import Testing

@testable import Messaging

@Suite("ConsumerInbox", .timeLimit(.minutes(2))) struct ConsumerInboxTests {
    /// A reader is cancelled at the moment at which its delivery comes, thousands of times: nobody waits for ever, and every
    /// delivery is read or still there.
    @Test("a delivery and a cancellation may come at the same moment")
    func deliveriesAgainstCancellations() async throws {
        let inbox = ConsumerInbox()
        let rounds = 20_000
        var read = 0
        for round in 0..<rounds {
            let reader = Task { try await inbox.next() }
            async let added: Void = Self.add(UInt64(round), to: inbox)
            reader.cancel()
            await added
            do {
                if try await reader.value != nil { read += 1 }
            } catch is CancellationError {}
        }
        #expect(read + inbox.takeUnread().count == rounds)
    }

    @Test("stopping serves who waits, and ends the wait of the others")
    func stopsReaders() async throws {
        let inbox = ConsumerInbox()
        #expect(inbox.setPaused(true))
        let readers = (0..<3).map { _ in Task { try await inbox.next() } }
        inbox.add(Self.delivery(1))
        #expect(inbox.stop(takingUnread: false).isEmpty)
        var tags: [UInt64?] = []
        for reader in readers { tags.append(try await reader.value?.tag) }
        #expect(tags.compactMap(\.self) == [1])
    }

    @concurrent private static func add(_ tag: UInt64, to inbox: ConsumerInbox) async {
        inbox.add(delivery(tag))
    }

    private static func delivery(_ tag: UInt64) -> Delivery {
        Delivery(
            body: [],
            type: nil,
            messageID: nil,
            headers: nil,
            timestamp: nil,
            redelivered: false,
            deliveryCount: 0,
            queue: "work",
            routingKey: "",
            deathReason: nil,
            deathQueue: nil,
            firstDeathQueue: nil,
            tag: tag,
            epoch: 1
        )
    }
}
