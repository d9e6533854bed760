/// Elements under the tags of a channel, which count up from 1 without gaps: publishes that wait for their confirm, or
/// deliveries that wait for an acknowledgement.
struct TagWindow<Element> {
    /// From `firstTag` on; `nil` where the element is gone.
    private var slots: [Element?] = []
    private var head = 0
    private var firstTag: UInt64 = 1
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    /// The tag the next element gets.
    var nextTag: UInt64 { firstTag + UInt64(slots.count - head) }

    @discardableResult
    mutating func append(_ element: Element) -> UInt64 {
        defer { count += 1 }
        slots.append(element)
        return nextTag - 1
    }

    subscript(tag: UInt64) -> Element? {
        get { index(of: tag).flatMap { slots[$0] } }
        set {
            guard let index = index(of: tag), slots[index] != nil, let newValue else { return }
            slots[index] = newValue
        }
    }

    /// The tags that still have an element, ascending.
    var tags: some Sequence<UInt64> {
        (head..<slots.count).lazy.filter { slots[$0] != nil }.map { firstTag + UInt64($0 - head) }
    }

    mutating func remove(_ tag: UInt64) -> Element? {
        guard let index = index(of: tag), let element = slots[index] else { return nil }
        slots[index] = nil
        count -= 1
        trim()
        return element
    }

    /// All up to and including `tag`, ascending.
    mutating func removeAll(through tag: UInt64) -> [Element] {
        var removed: [Element] = []
        while head < slots.count, firstTag <= tag {
            if let element = slots[head] {
                removed.append(element)
                count -= 1
            }
            head += 1
            firstTag += 1
        }
        trim()
        return removed
    }

    private func index(of tag: UInt64) -> Int? {
        guard tag >= firstTag, tag < nextTag else { return nil }
        return head + Int(tag - firstTag)
    }

    private mutating func trim() {
        while head < slots.count, slots[head] == nil {
            head += 1
            firstTag += 1
        }
        if head > 1024, head * 2 > slots.count {
            slots.removeFirst(head)
            head = 0
        }
    }
}

/// Publishes that wait for their confirm, in the order they were sent on one channel.
struct ConfirmTracker<Item> {
    private struct Pending {
        var item: Item
        var returned: PublishResult?
    }

    private var pending = TagWindow<Pending>()

    var count: Int { pending.count }

    mutating func published(_ item: Item) {
        pending.append(Pending(item: item))
    }

    /// Notes that the oldest matching publish came back as unroutable; its confirm still follows. Returns come in the
    /// order of publishing.
    mutating func returned(code: Int, reason: String, where matches: (Item) -> Bool) {
        for tag in pending.tags {
            guard let candidate = pending[tag], candidate.returned == nil, matches(candidate.item) else { continue }
            pending[tag]?.returned = .returned(code: code, reason: reason)
            return
        }
    }

    /// The verdicts of a `basic.ack` or `basic.nack`.
    mutating func confirmed(
        tag: UInt64,
        multiple: Bool,
        acknowledged: Bool
    ) -> [(item: Item, result: PublishResult)] {
        // A tag of 0 with `multiple` means everything.
        let settled =
            multiple ? pending.removeAll(through: tag == 0 ? .max : tag) : [pending.remove(tag)].compactMap(\.self)
        return settled.map { ($0.item, $0.returned ?? (acknowledged ? .confirmed : .refused)) }
    }

    /// What the broker has not spoken of, in the order it was sent.
    mutating func takeUnconfirmed() -> [Item] {
        defer { pending = TagWindow() }
        return pending.removeAll(through: .max).map(\.item)
    }
}

/// Deliveries of one channel that are not settled yet. Combines acknowledgements where nothing older is open.
struct AcknowledgementBook {
    enum Command: Equatable {
        case one(UInt64)
        case allThrough(UInt64)
    }

    /// The value says whether its acknowledgement waits to be sent.
    private var open = TagWindow<Bool>()
    private var waiting: [UInt64] = []

    /// Deliveries without an answer.
    var count: Int { open.count }

    mutating func delivered() {
        open.append(false)
    }

    mutating func acknowledge(_ tag: UInt64) {
        guard open[tag] == false else { return }
        open[tag] = true
        waiting.append(tag)
    }

    /// - Returns: whether the delivery was still open, so that a reject may be sent.
    mutating func reject(_ tag: UInt64) -> Bool {
        guard open[tag] == false else { return false }
        _ = open.remove(tag)
        return true
    }

    /// What to send for the acknowledgements noted since the last call.
    mutating func flush() -> [Command] {
        guard !waiting.isEmpty else { return [] }
        var covered: UInt64 = 0
        var coveredCount = 0
        for tag in open.tags {
            guard open[tag] == true else { break }
            covered = tag
            coveredCount += 1
        }
        var commands: [Command] = []
        if coveredCount > 0 {
            commands.append(coveredCount == 1 ? .one(covered) : .allThrough(covered))
            _ = open.removeAll(through: covered)
        }
        for tag in waiting where tag > covered {
            commands.append(.one(tag))
            _ = open.remove(tag)
        }
        waiting.removeAll(keepingCapacity: true)
        return commands
    }
}
