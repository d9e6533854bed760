internal import Model
internal import PipelineFile

/// Looks for examples that two live rules of equal priority both take: which of them wins would be chance.
struct ConflictFinder {
    /// The rules to compare, in the order of their files.
    let parsers: [RuleParser]

    struct Conflict {
        /// Places in ``parsers``; `later` is the one at fault.
        var earlier: Int
        var later: Int
        /// Where the example stands.
        var file: String
        var mark: SourceMark
    }

    /// At most one conflict for each pair.
    func conflicts() -> [Conflict] {
        let groups = Dictionary(grouping: parsers.indices) { parsers[$0].head.priority }
        return groups.values.filter { $0.count > 1 }.flatMap { conflicts(among: $0) }
            .sorted { ($0.later, $0.earlier) < ($1.later, $1.earlier) }
    }

    private func conflicts(among group: [Int]) -> [Conflict] {
        var found: [Conflict] = []
        for owner in group {
            for example in parsers[owner].head.examples {
                guard case .records = example.expectation else { continue }
                for other in takers(of: example, besides: owner, among: group) {
                    let pair = (min(owner, other), max(owner, other))
                    guard !found.contains(where: { ($0.earlier, $0.later) == pair }) else { continue }
                    found.append(
                        Conflict(
                            earlier: pair.0,
                            later: pair.1,
                            file: parsers[owner].file,
                            mark: example.node.mark
                        )
                    )
                }
            }
        }
        return found
    }

    private func takers(of example: RuleExample, besides owner: Int, among group: [Int]) -> [Int] {
        var texts: [Normalization: NormalizedText] = [:]
        return group.filter { other in
            let (first, second) = (parsers[owner].head, parsers[other].head)
            guard other != owner, first.input.mayShareText(with: second.input),
                first.channels.overlaps(second.channels)
            else { return false }
            let steps = second.normalization
            let text = texts[steps] ?? Normalizer(steps).normalize(example.text)
            let isAdmitted = parsers[other].gate?.admits(text.searchable) ?? true
            texts[steps] = text
            guard isAdmitted, case .records = parsers[other].parse(text.bytes, embeds: { example.embeds?.root })
            else { return false }
            return true
        }
    }
}

extension RuleInput {
    /// Content and embeds are different texts; `text` may be either.
    fileprivate func mayShareText(with other: RuleInput) -> Bool {
        self == other || self == .text || other == .text
    }
}
