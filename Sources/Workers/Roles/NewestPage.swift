import Model

/// The newest page as it was last seen, to tell edits from what is known. Empty after a start: then the whole page is
/// published once, and the store absorbs it.
struct NewestPage {
    private var seen: [Snowflake: Timestamp?] = [:]
    /// What is no message and has no id, by its bytes.
    private var odd: Set<[UInt8]> = []
    private(set) var isFirst = true

    func isChanged(_ element: Page.Element) -> Bool {
        if case .broken(let error, let payload) = element, error.id == nil { return !odd.contains(payload) }
        guard let id = element.messageID, let edited = seen[id] else { return true }
        guard case .message(let message) = element else { return false }
        return edited != message.editedAt
    }

    mutating func remember(_ elements: [Page.Element]) {
        isFirst = false
        seen = [:]
        odd = []
        for element in elements {
            if case .broken(let error, let payload) = element, error.id == nil { odd.insert(payload) }
            guard let id = element.messageID else { continue }
            if case .message(let message) = element { seen[id] = message.editedAt } else { seen[id] = .some(nil) }
        }
    }
}

extension Page.Element {
    var messageID: Snowflake? {
        switch self {
        case .message(let message): message.id
        case .broken(let error, _): error.id
        }
    }
}
