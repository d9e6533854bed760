import Model

/// One channel: its object and its messages, held as the bytes they are served with.
struct ChannelHistory: Sendable {
    /// What the bot may do in the channel.
    enum Access: String, Sendable {
        case full
        /// Discord answers a bot without READ_MESSAGE_HISTORY with an empty list, not with an error.
        case noHistory = "no_history"
        case none
    }

    private struct Entry {
        var id: UInt64
        var start: Int
        var length: Int32
        var isIngestible: Bool
        var wasServed = false
    }

    /// The channel object as served.
    var object: [UInt8]
    var guildID: UInt64
    var type: Int
    var access: Access
    /// How many different ingestible messages were part of a list that was answered with 200.
    private(set) var servedCount = 0
    private(set) var ingestibleCount = 0
    /// The bytes of all messages; an edited message is written anew behind the others.
    private var arena: [UInt8] = []
    /// Ascending by id once ``seal()`` was called.
    private var entries: [Entry] = []

    init(object: [UInt8], guildID: UInt64, type: Int = 0, access: Access = .full) {
        self.object = object
        self.guildID = guildID
        self.type = type
        self.access = access
    }

    var messageCount: Int { entries.count }
    var lastID: UInt64? { entries.last?.id }

    /// The channel as Discord sends it: with the id of its newest message, which is told even to those who may not
    /// read the history.
    var objectWithLastMessage: [UInt8] {
        let id = lastID.map { "\"\($0)\"" } ?? "null"
        return object.dropLast() + Array(",\"last_message_id\":\(id)}".utf8)
    }

    /// The ids of the messages that become traffic, oldest first.
    var ingestibleIDs: [UInt64] { entries.lazy.filter(\.isIngestible).map(\.id) }

    // MARK: Filling

    /// Adds a message of a recording, in any order; ``seal()`` must follow.
    mutating func load(id: UInt64, isIngestible: Bool, bytes: some Collection<UInt8>) {
        entries.append(Entry(id: id, start: arena.count, length: Int32(bytes.count), isIngestible: isIngestible))
        arena.append(contentsOf: bytes)
    }

    /// Puts loaded messages in order. Where an id was loaded twice, the later one stays.
    mutating func seal() {
        let isOrdered = zip(entries, entries.dropFirst()).allSatisfy { $0.id < $1.id }
        if !isOrdered {
            entries.sort { ($0.id, $0.start) < ($1.id, $1.start) }
            var kept: [Entry] = []
            kept.reserveCapacity(entries.count)
            for entry in entries {
                if kept.last?.id == entry.id { kept.removeLast() }
                kept.append(entry)
            }
            entries = kept
        }
        ingestibleCount = entries.count { $0.isIngestible }
    }

    /// Adds a message, or replaces the one with its id.
    mutating func put(id: UInt64, isIngestible: Bool, bytes: [UInt8]) {
        let place = index(from: id)
        var entry = Entry(id: id, start: arena.count, length: Int32(bytes.count), isIngestible: isIngestible)
        arena.append(contentsOf: bytes)
        if place < entries.count, entries[place].id == id {
            entry.wasServed = entries[place].wasServed
            if entries[place].isIngestible { ingestibleCount -= 1 }
            entries[place] = entry
        } else {
            entries.insert(entry, at: place)
        }
        if isIngestible { ingestibleCount += 1 }
    }

    /// Removes a message; false when there is none with that id.
    mutating func remove(id: UInt64) -> Bool {
        let place = index(from: id)
        guard place < entries.count, entries[place].id == id else { return false }
        if entries.remove(at: place).isIngestible { ingestibleCount -= 1 }
        return true
    }

    // MARK: Reading

    /// The message with an id, as served.
    func message(id: UInt64) -> [UInt8]? {
        let place = index(from: id)
        guard place < entries.count, entries[place].id == id else { return nil }
        let entry = entries[place]
        return Array(arena[entry.start..<entry.start + Int(entry.length)])
    }

    /// A JSON array of messages, newest first.
    ///
    /// - Parameter counting: whether the messages count as served.
    mutating func page(_ query: MessageQuery, counting: Bool) -> [UInt8] {
        let range = access == .full ? range(of: query) : 0..<0
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries[range].reduce(range.count + 2) { $0 + Int($1.length) })
        bytes.append(UInt8(ascii: "["))
        for place in range.reversed() {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            let entry = entries[place]
            bytes.append(contentsOf: arena[entry.start..<entry.start + Int(entry.length)])
            if counting, entry.isIngestible, !entry.wasServed {
                entries[place].wasServed = true
                servedCount += 1
            }
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }

    private func range(of query: MessageQuery) -> Range<Int> {
        switch query.anchor {
        case .latest: return max(0, entries.count - query.limit)..<entries.count
        case .before(let id):
            let end = index(from: id)
            return max(0, end - query.limit)..<end
        case .after(let id):
            let start = id == .max ? entries.count : index(from: id + 1)
            return start..<min(entries.count, start + query.limit)
        case .around(let id):
            // An even limit gives one more than asked: that many halves on each side, and the message itself.
            let start = index(from: id)
            let end = id == .max ? entries.count : index(from: id + 1)
            let half = query.limit / 2
            return max(0, start - half)..<min(entries.count, end + half)
        }
    }

    /// The place of the first message with this id or a higher one.
    private func index(from id: UInt64) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
