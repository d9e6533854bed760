/// Why a message could not be worked on, and so what happens to it. Which error is which is decided in one place, by
/// the workers' fault table; docs/delivery.md shows it.
package struct Fault: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        /// It may go better later: the message is tried again, alone, after growing waits; then it is dead.
        case transient
        /// Another try is of no use: the message goes dead at once.
        case permanent
        /// Not the message is at fault but a service that is away: the work waits, and no attempt is counted.
        case outage
        /// Only an operator can mend it: the worker ends with exit code 78, and the message stays in its queue.
        case configuration
    }

    package var kind: Kind
    /// What the failing side calls it, such as an SQLSTATE or an HTTP status. Without spaces and colons.
    package var code: String?
    /// What happened; no secret.
    package var text: String

    package init(_ kind: Kind, code: String? = nil, _ text: String) {
        self.kind = kind
        self.code = code
        self.text = text
    }

    /// `kind: text`, or `kind code: text`; ``parts(of:)`` reads it.
    package var description: String { "\(kind.rawValue)\(code.map { " \($0)" } ?? ""): \(text)" }
}

extension Fault {
    /// Takes a ``description`` apart, also one whose kind is not known here.
    package static func parts(of description: String) -> (kind: String, code: String?, text: String) {
        guard let colon = description.firstIndex(of: ":") else { return ("unknown", nil, description) }
        let words = description[..<colon].split(separator: " ")
        guard (1...2).contains(words.count) else { return ("unknown", nil, description) }
        let text = description[description.index(after: colon)...].trimmingPrefix(" ")
        return (String(words[0]), words.count == 2 ? String(words[1]) : nil, String(text))
    }
}
