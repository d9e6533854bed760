internal import Model

/// Says which of many rules may take a message, without asking each of them.
///
/// One pass over each text of the message finds the literals of all gates at once. Rules without a gate are looked up
/// by channel. What is neither in the text nor in the channel costs nothing.
final class CandidateIndex {
    /// The rules that read one text of a message.
    private struct Group {
        /// ``RuleParser/textSlot``.
        var slot: Int
        /// The channels of all its rules together.
        var channels: ChannelFilter
        /// Places of rules without a gate that read every channel.
        var ungated: [Int] = []
        /// Places of rules without a gate that read only some channels.
        var ungatedByChannel: [Snowflake: [Int]] = [:]
        /// Places of rules with a gate.
        var gated: [Int] = []
        /// `nil` when no rule has a gate, and where Vectorscan cannot serve.
        var matcher: LiteralMatcher?
        /// For each literal of `matcher` the places of the rules that name it.
        var owners: [[Int]] = []
    }

    private let parsers: [RuleParser]
    private var groups: [Group] = []
    /// For each rule the number of the message that it was last found for: it may be found by several literals.
    private var lastFound: [UInt64]
    private var message: UInt64 = 0
    private var found: [Int] = []

    init(_ parsers: [RuleParser]) {
        self.parsers = parsers
        lastFound = Array(repeating: 0, count: parsers.count)
        let bySlot = Dictionary(grouping: parsers.indices) { parsers[$0].textSlot }
        groups = bySlot.sorted { $0.key < $1.key }.map { group(slot: $0.key, $0.value) }
    }

    /// The places of the rules that a message in `channel` may be for, in ascending order: its channel is theirs, and
    /// one of their gate's literals occurs.
    ///
    /// - Parameter text: gives the text of a slot; asked at most once for each.
    func candidates(in channel: Snowflake, text: (_ slot: Int) -> NormalizedText) -> [Int] {
        message += 1
        found.removeAll(keepingCapacity: true)
        for index in groups.indices where groups[index].channels.admits(channel) {
            found += groups[index].ungated
            if let places = groups[index].ungatedByChannel[channel] { found += places }
            if !groups[index].gated.isEmpty { findGated(groups[index], in: channel, text(groups[index].slot)) }
        }
        found.sort()
        return found
    }

    /// The places of the rules whose gate admits `text`, whatever their channels and inputs, in ascending order.
    func candidates(anywhere text: NormalizedText) -> [Int] {
        message += 1
        found.removeAll(keepingCapacity: true)
        for group in groups {
            found += group.ungated
            found += Set(group.ungatedByChannel.values.joined())
            if !group.gated.isEmpty { findGated(group, in: nil, text) }
        }
        found.sort()
        return found
    }

    /// - Parameter channel: `nil` for any.
    private func findGated(_ group: Group, in channel: Snowflake?, _ text: NormalizedText) {
        guard let matcher = group.matcher else {
            let folded = text.searchable
            found += group.gated.filter { place in
                admits(place, channel) && parsers[place].gate?.admits(folded) ?? true
            }
            return
        }
        text.searchable.withUnsafeBufferPointer { bytes in
            for literal in matcher.scan(bytes) {
                for place in group.owners[Int(literal)] where lastFound[place] != message {
                    lastFound[place] = message
                    if admits(place, channel) { found.append(place) }
                }
            }
        }
    }

    private func admits(_ place: Int, _ channel: Snowflake?) -> Bool {
        channel.map { parsers[place].head.channels.admits($0) } ?? true
    }

    private func group(slot: Int, _ places: [Int]) -> Group {
        let channels = places.reduce(ChannelFilter.only([])) { $0.union(parsers[$1].head.channels) }
        var group = Group(slot: slot, channels: channels)
        var numbers: [[UInt8]: Int] = [:]
        var literals: [[UInt8]] = []
        for place in places {
            guard let gate = parsers[place].gate else {
                switch parsers[place].head.channels {
                case .all: group.ungated.append(place)
                case .only(let ids): for id in ids { group.ungatedByChannel[id, default: []].append(place) }
                }
                continue
            }
            group.gated.append(place)
            for literal in Set(gate.folded) {
                if let number = numbers[literal] {
                    group.owners[number].append(place)
                } else {
                    numbers[literal] = literals.count
                    literals.append(literal)
                    group.owners.append([place])
                }
            }
        }
        group.matcher = LiteralMatcher(literals)
        return group
    }
}
