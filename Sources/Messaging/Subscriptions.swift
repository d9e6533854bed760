/// Which consumers a channel has and should have: one for each queue, first with a prefetch of 1, then with the full
/// one. Pure: says what to do and is told what happened.
struct Subscriptions {
    enum Step: Equatable {
        /// With this prefetch, which is set just before.
        case consume(queue: String, consumerTag: String, prefetch: Int)
        case cancel(consumerTag: String)
    }

    private struct Subscription {
        var consumerTag: String
        var isWide: Bool
        var isAccepted = false
    }

    private let queues: [String]
    private let prefetch: Int
    private let name: String
    private var current: [String: Subscription] = [:]
    /// All consumers there ever were on this channel: a delivery may still come for one that was cancelled.
    private var queueOfTag: [String: String] = [:]
    private var cancelling: Set<String> = []

    init(queues: [String], prefetch: Int, name: String) {
        self.queues = queues
        self.prefetch = prefetch
        self.name = name
    }

    /// Whether the broker has accepted a consumer for every queue.
    var isComplete: Bool { current.count == queues.count && current.values.allSatisfy(\.isAccepted) }
    /// Whether there is no consumer, nor one whose cancelling is not answered yet.
    var isEmpty: Bool { current.isEmpty && cancelling.isEmpty }

    func queue(of consumerTag: String) -> String { queueOfTag[consumerTag] ?? "" }

    mutating func start() -> [Step] {
        queues.filter { current[$0] == nil }.map { consume($0, wide: prefetch <= 1) }
    }

    /// After a delivery that was never handed out before.
    mutating func widen(_ queue: String) -> [Step] {
        guard let subscription = current[queue], !subscription.isWide else { return [] }
        cancelling.insert(subscription.consumerTag)
        let step = consume(queue, wide: true)
        current[queue]?.isAccepted = subscription.isAccepted
        return [.cancel(consumerTag: subscription.consumerTag), step]
    }

    mutating func stop() -> [Step] {
        let tags = queues.compactMap { current[$0]?.consumerTag }
        cancelling.formUnion(tags)
        current = [:]
        return tags.map { .cancel(consumerTag: $0) }
    }

    mutating func accepted(_ consumerTag: String) {
        guard let queue = queueOfTag[consumerTag], current[queue]?.consumerTag == consumerTag else { return }
        current[queue]?.isAccepted = true
    }

    mutating func cancelled(_ consumerTag: String) {
        cancelling.remove(consumerTag)
    }

    private mutating func consume(_ queue: String, wide: Bool) -> Step {
        let tag = "\(name)-\(queueOfTag.count + 1)"
        queueOfTag[tag] = queue
        current[queue] = Subscription(consumerTag: tag, isWide: wide)
        return .consume(queue: queue, consumerTag: tag, prefetch: wide ? max(prefetch, 1) : 1)
    }
}
