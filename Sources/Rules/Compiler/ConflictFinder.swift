internal import PipelineFile

/// Looks for an example that two rules of equal priority both take.
enum ConflictFinder {
    static func conflict(_ first: RuleParser, _ second: RuleParser) -> (file: String, mark: SourceMark)? {
        guard first.head.priority == second.head.priority, first.head.input.mayShareText(with: second.head.input),
            first.head.channels.overlaps(second.head.channels)
        else { return nil }
        return example(of: first, takenBy: second) ?? example(of: second, takenBy: first)
    }

    private static func example(of owner: RuleParser, takenBy other: RuleParser) -> (String, SourceMark)? {
        let normalizer = Normalizer(other.head.normalization)
        for example in owner.head.examples {
            guard case .records = example.expectation else { continue }
            var text = normalizer.normalize(example.text)
            if let gate = other.head.gate, !gate.admits(text.folded) { continue }
            if case .records = other.parse(text.bytes) { return (owner.file, example.node.mark) }
        }
        return nil
    }
}

extension RuleInput {
    /// Content and embeds are different texts; `text` may be either.
    fileprivate func mayShareText(with other: RuleInput) -> Bool {
        self == other || self == .text || other == .text
    }
}
