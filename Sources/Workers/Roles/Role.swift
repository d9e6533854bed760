/// What a worker process of the tree can be.
package enum Role: String, CaseIterable, Sendable {
    case setup, store, deadletter, parse, openai, fetch
    /// The host of a plugin that consumes, under the plugin's name.
    case plugin

    /// Those that a pipeline has by itself, each under its own name.
    package static let builtIn = allCases.filter { $0 != .plugin }
}
