import Messaging
package import Model

/// The stages that a message passes in turn while nobody makes a record of it: `parse`, each plugin that consumes in
/// the order of the file, then the last resort where it is on. What is decided goes to store and no further.
///
/// What travels onward is a record batch without records. Each element is the verdict so far: the outcome parse gave
/// it, and in `reason` what everybody said who declined it, so that the last stage can decide the final outcome.
package struct Chain: Sendable, Equatable {
    /// After parse, in order, by the names of their stages (``Topology/stages``).
    package let stages: [String]

    /// - Parameter plugins: their names, in the order of the file.
    package init(plugins: [String], hasLastResort: Bool) {
        stages = plugins.map(Topology.plugin) + (hasLastResort ? [Topology.openai] : [])
    }

    /// Who sees what `stage` made nothing of; `nil` when it is the last and its outcome is final.
    package func stage(after stage: String) -> String? {
        if stage == Topology.parse { return stages.first }
        guard let place = stages.firstIndex(of: stage), stages.indices.contains(place + 1) else { return nil }
        return stages[place + 1]
    }

    /// What a stage made of its messages, by where each goes next. Every message is in exactly one of the parts.
    package struct Routing: Sendable, Equatable {
        /// With their final outcome.
        package var store: [ParsedMessage] = []
        package var onward: [ParsedMessage] = []
        /// Where `onward` goes; `nil` when it is empty.
        package var next: String?
    }

    /// Sends records to store and what is undecided to the next stage. After the last stage the undecided is final:
    /// `unmatched` or `invalid` when no stage stands behind parse, otherwise `skipped`.
    ///
    /// - Parameter admits: whether the last resort would ask about a message. For one it would not, it does not stand
    ///   in the chain.
    package func route(
        _ batch: [ParsedMessage],
        from stage: String,
        admits: (Message) -> Bool = { _ in true }
    ) -> Routing {
        var routing = Routing()
        let next = self.stage(after: stage)
        for var parsed in batch {
            if parsed.outcome == .parsed || parsed.outcome == .skipped {
                routing.store.append(parsed)
            } else if let next, next != Topology.openai || admits(parsed.message) {
                routing.onward.append(parsed)
            } else {
                if stage != Topology.parse { parsed.outcome = .skipped }
                routing.store.append(parsed)
            }
        }
        if !routing.onward.isEmpty { routing.next = next }
        return routing
    }

    /// An undecided message as it would have ended without the last resort.
    package func withoutLastResort(_ parsed: ParsedMessage) -> ParsedMessage {
        var final = parsed
        if stages.first != Topology.openai { final.outcome = .skipped }
        return final
    }
}

extension ParsedMessage {
    /// A longer reason is cut: it goes into a column for people, and travels with the message from stage to stage.
    private static let longestReason = 500

    /// The same message after one more stage has declined it; the outcome stays open until ``Chain/route(_:from:)``.
    package func declined(by name: String, because why: String) -> ParsedMessage {
        var declined = self
        let reason = "\(name): \(why.count > Self.longestReason ? why.prefix(Self.longestReason - 1) + "…" : why[...])"
        declined.reason = self.reason.map { "\($0); \(reason)" } ?? reason
        return declined
    }
}
