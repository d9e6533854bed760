package import Model

/// A channel the pipeline watches, as `channels:` of a rule file may name it.
package struct ChannelName: Sendable, Equatable {
    package var id: Snowflake
    package var name: String

    package init(id: Snowflake, name: String) {
        self.id = id
        self.name = name
    }
}

/// The channels whose messages a rule reads.
enum ChannelFilter: Equatable {
    case all
    case only(Set<Snowflake>)

    func admits(_ channel: Snowflake) -> Bool {
        switch self {
        case .all: true
        case .only(let ids): ids.contains(channel)
        }
    }

    func union(_ other: ChannelFilter) -> ChannelFilter {
        guard case .only(let left) = self, case .only(let right) = other else { return .all }
        return .only(left.union(right))
    }

    /// Whether some channel could be admitted by both.
    func overlaps(_ other: ChannelFilter) -> Bool {
        switch (self, other) {
        case (.all, .only(let ids)), (.only(let ids), .all): !ids.isEmpty
        case (.only(let left), .only(let right)): !left.isDisjoint(with: right)
        case (.all, .all): true
        }
    }
}

/// A name with `*` (any characters) and `?` (one).
struct Glob {
    private let pattern: [Character]

    init(_ text: String) {
        pattern = Array(text)
    }

    var isLiteral: Bool { !pattern.contains { $0 == "*" || $0 == "?" } }

    func matches(_ text: String) -> Bool {
        let name = Array(text)
        var (position, index) = (0, 0)
        // Where to go on when a later part fails: behind the last star, one character further in the name.
        var retry: (position: Int, index: Int)?
        while index < name.count {
            if position < pattern.count, pattern[position] == "*" {
                retry = (position + 1, index)
                position += 1
            } else if position < pattern.count, pattern[position] == "?" || pattern[position] == name[index] {
                position += 1
                index += 1
            } else if let last = retry {
                (position, index) = (last.position, last.index + 1)
                retry = (last.position, last.index + 1)
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == "*" }
    }
}
