package import Model

/// Tells from the newest pages of one channel which of its messages were deleted.
///
/// A message counts as deleted when it stood in an earlier page and is missing from two answers in a row that hold both
/// an older and a newer one: Discord answers with everything in between. So the deletion of the newest message shows
/// once another one was sent; a message that was deleted before this watch began, or after newer ones filled the page,
/// is not noticed.
package struct DeletionWatch {
    private var seen: Set<Snowflake> = []
    private var missing: Set<Snowflake> = []

    package init() {}

    /// Takes the newest page of the channel, and returns those whose deletion is certain now, in the order of their ids.
    package mutating func read(_ page: [Page.Element]) -> [Snowflake] {
        let ids = page.compactMap(\.messageID)
        // Something without an id may be the very message that seems to be missing.
        guard ids.count == page.count, let lowest = ids.min(), let highest = ids.max() else { return [] }
        let present = Set(ids)
        let gone = seen.filter { lowest < $0 && $0 < highest && !present.contains($0) }
        let deleted = gone.intersection(missing)
        missing = gone.subtracting(deleted)
        let messages = page.compactMap { element -> Snowflake? in
            if case .message(let message) = element, message.isIngestible { message.id } else { nil }
        }
        seen = seen.filter { $0 > lowest && !deleted.contains($0) }.union(messages)
        return deleted.sorted()
    }
}
