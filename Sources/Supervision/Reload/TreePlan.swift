internal import Model

/// What brings one tree to another, for people to read.
struct TreePlan: Equatable {
    private(set) var add: [String] = []
    private(set) var remove: [String] = []
    /// Get new processes, one replica after the other.
    private(set) var replace: [String] = []
    /// Take over a new generation as they run.
    private(set) var reload: [String] = []
    /// Go on as they are, under other rules.
    private(set) var adjust: [String] = []

    init(from old: [ChildSpecification], to new: [ChildSpecification]) {
        let before = Dictionary(uniqueKeysWithValues: old.map { ($0.name, $0) })
        let names = Set(new.map(\.name))
        remove = old.filter { !names.contains($0.name) }.map(\.name)
        for child in new {
            guard let known = before[child.name] else {
                add.append(child.name)
                continue
            }
            for number in 1..<(max(known.replicas, child.replicas) + 1) {
                if number > known.replicas { add.append("\(child.name)/\(number)") }
                if number > child.replicas { remove.append("\(child.name)/\(number)") }
            }
            switch known.distance(to: child) {
            case .replace: replace.append(child.name)
            case .reload: reload.append(child.name)
            case .none where known.underPolicy(of: child) != known && known.replicas == child.replicas:
                adjust.append(child.name)
            case .none: break
            }
        }
    }

    var isEmpty: Bool { lines.isEmpty }

    private var parts: [(String, [String])] {
        [("add", add), ("remove", remove), ("replace", replace), ("reload", reload), ("adjust", adjust)]
    }

    var lines: [String] { parts.flatMap { verb, names in names.map { "\(verb) \($0)" } } }

    var fields: [String: LogField] {
        Dictionary(
            uniqueKeysWithValues: parts.filter { !$0.1.isEmpty }.map { ($0, .text($1.joined(separator: " "))) }
        )
    }
}
