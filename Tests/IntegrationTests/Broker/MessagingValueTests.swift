import Testing

@testable import Messaging

@Suite("BrokerAddress")
struct BrokerAddressTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let url: String
        let host: String
        let port: Int
        let vhost: String
        let redacted: String
        var testDescription: String { url }
    }

    static let cases = [
        Case(
            url: "amqp://u:p@broker:5673/prod",
            host: "broker",
            port: 5673,
            vhost: "prod",
            redacted: "amqp://broker:5673/prod"
        ),
        Case(url: "amqp://broker", host: "broker", port: 5672, vhost: "/", redacted: "amqp://broker:5672/"),
        Case(url: "amqps://broker/", host: "broker", port: 5671, vhost: "/", redacted: "amqps://broker:5671/"),
        Case(url: "amqp://u:p@[::1]:7/%2f", host: "::1", port: 7, vhost: "/", redacted: "amqp://[::1]:7/"),
        Case(url: "amqp://u:p%40:@h/a%2Fb", host: "h", port: 5672, vhost: "a/b", redacted: "amqp://h:5672/a/b"),
    ]

    @Test("is read from a URL", arguments: cases)
    func reading(_ expected: Case) throws {
        let address = try BrokerAddress(expected.url)
        #expect(address.host == expected.host)
        #expect(address.port == expected.port)
        #expect(address.vhost == expected.vhost)
        #expect(address.redacted == expected.redacted)
    }

    @Test("decodes user and password")
    func credentials() throws {
        let address = try BrokerAddress("amqp://user%3A1:p%40ss%2Fw:rd@host/")
        #expect(address.user == "user:1")
        #expect(address.password == "p@ss/w:rd")
        #expect(try BrokerAddress("amqp://host").user == "guest")
    }

    @Test(
        "refuses what it cannot use, without repeating it",
        arguments: [
            "broker:5672", "http://u:hunter2@h", "amqp://u:hunter2@h:0", "amqp://u:hunter2@h:x",
            "amqp://u:hunter2%zz@h",
            "amqp://u:hunter2@h/?heart=1", "amqps://u:hunter2@h/?certfile=/c",
        ]
    )
    func refusal(_ url: String) {
        let error = #expect(throws: BrokerAddressError.self) { try BrokerAddress(url) }
        #expect(error?.description.contains("hunter2") == false)
    }
}

@Suite("ConfirmTracker")
struct ConfirmTrackerTests {
    private func tracker(_ items: Range<Int>) -> ConfirmTracker<Int> {
        var tracker = ConfirmTracker<Int>()
        for item in items { tracker.published(item) }
        return tracker
    }

    @Test("confirms come singly, out of order, for many, and twice")
    func confirms() {
        var tracker = tracker(1..<7)
        func settled(_ tag: UInt64, multiple: Bool = false) -> [Int] {
            tracker.confirmed(tag: tag, multiple: multiple, acknowledged: true).map(\.item)
        }
        #expect(settled(3) == [3])
        #expect(settled(3) == [])
        #expect(settled(4, multiple: true) == [1, 2, 4])
        #expect(settled(2, multiple: true) == [])
        let unconfirmed = tracker.takeUnconfirmed()
        #expect(unconfirmed == [5, 6])
        #expect(tracker.count == 0)
        tracker.published(9)
        #expect(settled(1) == [9])
    }

    @Test("a nack refuses")
    func refusal() {
        var tracker = tracker(1..<2)
        let results = tracker.confirmed(tag: 1, multiple: false, acknowledged: false)
        #expect(results.map(\.result) == [.refused])
    }

    @Test("a return marks the oldest match, and its ack is no success")
    func returns() {
        var tracker = tracker(1..<5)
        tracker.returned(code: 312, reason: "NO_ROUTE") { $0 % 2 == 0 }
        tracker.returned(code: 312, reason: "NO_ROUTE") { $0 % 2 == 0 }
        let results = tracker.confirmed(tag: 0, multiple: true, acknowledged: true)
        let returned = PublishResult.returned(code: 312, reason: "NO_ROUTE")
        #expect(results.map(\.result) == [.confirmed, returned, .confirmed, returned])
    }

    @Test("thousands of tags stay cheap and exact")
    func many() {
        var tracker = ConfirmTracker<Int>()
        var confirmed = 0
        for item in 1...20_000 {
            tracker.published(item)
            if item % 7 == 0 {
                confirmed += tracker.confirmed(tag: UInt64(item - 3), multiple: true, acknowledged: true).count
            }
        }
        #expect(confirmed + tracker.count == 20_000)
        let unconfirmed = tracker.takeUnconfirmed()
        #expect(unconfirmed.last == 20_000)
    }
}

@Suite("AcknowledgementBook")
struct AcknowledgementBookTests {
    @Test("combines what has nothing open before it")
    func combining() {
        var book = AcknowledgementBook()
        for _ in 1...8 { book.delivered() }
        func sent(acknowledging tags: UInt64...) -> [AcknowledgementBook.Command] {
            for tag in tags { book.acknowledge(tag) }
            return book.flush()
        }
        func isOpen(_ tag: UInt64) -> Bool { book.reject(tag) }
        #expect(sent(acknowledging: 2, 1, 3, 5) == [.allThrough(3), .one(5)])
        #expect(sent() == [])
        #expect(isOpen(4))
        #expect(!isOpen(4), "it was rejected before")
        #expect(sent(acknowledging: 4, 5) == [])
        #expect(sent(acknowledging: 6) == [.one(6)])
        #expect(sent(acknowledging: 8) == [.one(8)])
        #expect(book.count == 1)
        #expect(sent(acknowledging: 99, 0) == [])
    }
}

@Suite("Subscriptions")
struct SubscriptionsTests {
    @Test("each queue begins with a prefetch of 1 and is widened by itself")
    func widening() {
        var subscriptions = Subscriptions(queues: ["a", "b"], prefetch: 16, name: "n")
        let started = subscriptions.start()
        #expect(
            started == [
                .consume(queue: "a", consumerTag: "n-1", prefetch: 1),
                .consume(queue: "b", consumerTag: "n-2", prefetch: 1),
            ]
        )
        #expect(!subscriptions.isComplete)
        subscriptions.accepted("n-1")
        subscriptions.accepted("n-2")
        #expect(subscriptions.isComplete)
        let widened = subscriptions.widen("b")
        #expect(
            widened == [
                .cancel(consumerTag: "n-2"), .consume(queue: "b", consumerTag: "n-3", prefetch: 16),
            ]
        )
        let again = subscriptions.widen("b")
        #expect(again == [])
        #expect(subscriptions.queue(of: "n-2") == "b")
        let stopped = subscriptions.stop()
        #expect(stopped == [.cancel(consumerTag: "n-1"), .cancel(consumerTag: "n-3")])
        for tag in ["n-2", "n-1"] { subscriptions.cancelled(tag) }
        #expect(!subscriptions.isEmpty)
        subscriptions.cancelled("n-3")
        #expect(subscriptions.isEmpty)
        let restarted = subscriptions.start()
        #expect(restarted.count == 2)
    }
}

@Suite("Topology")
struct TopologyNameTests {
    @Test("names and arguments are those of the contract")
    func contract() throws {
        let topology = Topology(prefix: "chaffinch", plugins: ["score"])
        #expect(topology.stages == ["parse", "openai", "store", "plugin.score"])
        #expect(topology.workQueue("plugin.score") == "chaffinch.plugin.score")
        #expect(topology.deadQueues.last == "chaffinch.dead.plugin.score")
        #expect(topology.retryExchange(.twoMinutes) == "chaffinch.retry.2m")
        let queues = topology.queues
        #expect(queues.count == 13)
        let parse = try #require(queues.first { $0.name == "chaffinch.parse" })
        #expect(parse.arguments["x-dead-letter-routing-key"] == .string("parse"))
        #expect(parse.arguments["x-delivery-limit"] == .integer(20))
        #expect(parse.arguments["x-max-length-bytes"] == .integer(1_073_741_824))
        let retry = try #require(queues.first { $0.name == "chaffinch.retry.30s" })
        #expect(retry.arguments["x-message-ttl"] == .integer(30_000))
        #expect(retry.arguments["x-dead-letter-exchange"] == .string("chaffinch.work"))
        #expect(retry.arguments["x-dead-letter-routing-key"] == nil)
    }

    @Test("retry levels follow the attempts")
    func levels() {
        #expect(Topology.RetryLevel(attempt: 0) == .oneSecond)
        #expect(Topology.RetryLevel(attempt: 4) == .tenMinutes)
        #expect(Topology.RetryLevel(attempt: 5) == nil)
    }
}
