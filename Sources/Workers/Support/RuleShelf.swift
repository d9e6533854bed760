import Foundation
import Rules

/// The rules in use, and those that take their place before the next message.
///
/// A rule set serves one thread at a time: what is put here is made by one task and from then on used by the work loop
/// alone, and the lock lies between the two. That is why it may be shared although rule sets may not.
final class RuleShelf: @unchecked Sendable {
    private let lock = NSLock()
    private var current: RuleSet
    private var next: RuleSet?

    init(_ rules: RuleSet) { current = rules }

    /// The rules for the next message.
    func take() -> RuleSet {
        lock.withLock {
            if let next { current = next }
            next = nil
            return current
        }
    }

    /// For whoever makes the next ones: only to be looked at.
    var latest: RuleSet { lock.withLock { next ?? current } }

    func put(_ rules: RuleSet) { lock.withLock { next = rules } }
}
