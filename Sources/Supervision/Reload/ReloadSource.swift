package import Model

/// Where a running tree's next specification comes from.
///
/// The files are read by a process that lives for a moment. It finds a socket on descriptor 3, over which it writes
/// `{"type":"checked"}` once it knows what it thinks of them, waits for `{"type":"accept"}` (the end of the file means
/// that the files have changed since, and that it should leave without a trace), and writes its report: one JSON object
/// on one line, which is ``read``'s to understand; or `{"type":"failed","reason":"…"}`.
package struct ReloadSource {
    /// What a check found.
    package struct Finding {
        /// The tree to run; `nil` when nothing may change.
        package var tree: TreeSpecification?
        /// What the files say that cannot be taken over, each with its place.
        package var problems: [String]
        package var watched: WatchedPaths

        package init(tree: TreeSpecification?, problems: [String], watched: WatchedPaths) {
            self.tree = tree
            self.problems = problems
            self.watched = watched
        }
    }

    /// The checker and its arguments; given the generations that are in use, it removes none of them.
    package var command: (_ generationsInUse: [Int]) -> [String]
    package var environment: [String: String]
    package var watched: WatchedPaths
    /// When the check began that the first tree came from: what changed since is checked again. `nil`: nothing can have.
    package var checkedSince: Timestamp?
    /// Makes a report into a tree.
    package var read: (_ report: [UInt8]) throws -> Finding
    /// A generation was not taken over by anyone: the one before is the last that was accepted.
    package var withdraw: (_ generation: Int) -> Void

    package init(
        command: @escaping (_ generationsInUse: [Int]) -> [String],
        environment: [String: String],
        watched: WatchedPaths,
        checkedSince: Timestamp? = nil,
        read: @escaping (_ report: [UInt8]) throws -> Finding,
        withdraw: @escaping (_ generation: Int) -> Void
    ) {
        self.command = command
        self.environment = environment
        self.watched = watched
        self.checkedSince = checkedSince
        self.read = read
        self.withdraw = withdraw
    }
}
