internal import Model
internal import PipelineFile

/// Looks for examples that two live rules of equal priority both take: which of them wins would be chance.
struct ConflictFinder {
    /// The rules to compare, in the order of their files.
    let parsers: [RuleParser]
    /// Places of those that are known not to be in each other's way.
    var settled: Set<Int> = []

    struct Conflict {
        /// Places in ``parsers``; `later` is the one at fault.
        var earlier: Int
        var later: Int
        /// Where the example stands.
        var file: String
        var mark: SourceMark
    }

    private struct Pair: Hashable {
        var earlier: Int
        var later: Int
    }

    /// At most one conflict for each pair.
    func conflicts() -> [Conflict] {
        let groups = Dictionary(grouping: parsers.indices) { parsers[$0].head.priority }
        return groups.values.filter { $0.count > 1 }.flatMap { conflicts(among: $0) }
            .sorted { ($0.later, $0.earlier) < ($1.later, $1.earlier) }
    }

    private func conflicts(among group: [Int]) -> [Conflict] {
        // A thousand files have a million pairs: the literal search leaves the few that could share a text.
        let new = group.filter { !settled.contains($0) }
        guard !new.isEmpty else { return [] }
        let (all, unsettled) = (readers(of: group), readers(of: new))
        var found: [Pair: Conflict] = [:]
        for owner in group {
            let readers = settled.contains(owner) ? unsettled : all
            for example in parsers[owner].head.examples {
                guard case .records = example.expectation else { continue }
                for reader in readers {
                    let text = reader.normalizer.normalize(example.text)
                    for place in reader.index.candidates(anywhere: text) {
                        let other = reader.places[place]
                        let pair = Pair(earlier: min(owner, other), later: max(owner, other))
                        guard other != owner, found[pair] == nil, takes(other, example, text, of: owner) else {
                            continue
                        }
                        found[pair] = Conflict(
                            earlier: pair.earlier,
                            later: pair.later,
                            file: parsers[owner].file,
                            mark: example.node.mark
                        )
                    }
                }
            }
        }
        return Array(found.values)
    }

    private typealias Reader = (normalizer: Normalizer, places: [Int], index: CandidateIndex)

    private func readers(of places: [Int]) -> [Reader] {
        Dictionary(grouping: places) { parsers[$0].head.normalization }.map {
            (normalizer: Normalizer($0.key), places: $0.value, index: CandidateIndex($0.value.map { parsers[$0] }))
        }
    }

    private func takes(_ other: Int, _ example: RuleExample, _ text: NormalizedText, of owner: Int) -> Bool {
        let (first, second) = (parsers[owner].head, parsers[other].head)
        guard first.input.mayShareText(with: second.input), first.channels.overlaps(second.channels),
            case .records = parsers[other].parse(text.bytes, embeds: { example.embeds?.root })
        else { return false }
        return true
    }
}

extension RuleInput {
    /// Content and embeds are different texts; `text` may be either.
    fileprivate func mayShareText(with other: RuleInput) -> Bool {
        self == other || self == .text || other == .text
    }
}
