/// The built-in roles that `chaffinch worker ROLE` can play in the tree.
package enum Role: String, CaseIterable, Sendable {
    case setup, store, deadletter, parse, openai, fetch
}
