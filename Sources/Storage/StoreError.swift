/// What a store could not do, and what kind of trouble that is. The text holds no secret.
package struct StoreError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// The server is down, did not answer in time, or the connection broke: try again.
        case unavailable
        /// The database refuses a value of this batch (SQLSTATE classes 22 and 23). Trying again is of no use.
        case badData
        /// The schema asks for a change that could lose data; an operator would have to run this SQL.
        case notAdditive(sql: [String])
        /// The database belongs to a pipeline of another name.
        case otherPipeline
        /// Tables or columns are missing: `setup` has not run.
        case notSetUp
        /// The user may not log in, or may not do this.
        case permission
        /// Somebody else held a lock for too long.
        case lockTimeout
        /// The URL cannot be read.
        case badURL
        /// Anything else: a fault of Chaffinch or of the database.
        case `internal`
    }

    package var code: Code
    package var message: String
    /// The database's own code: an SQLSTATE, or SQLite's extended result code.
    package var state: String?

    package init(_ code: Code, _ message: String, state: String? = nil) {
        self.code = code
        self.message = message
        self.state = state
    }

    package var description: String {
        guard case .notAdditive(let sql) = code else { return message }
        return ([message] + sql.map { "  \($0)" }).joined(separator: "\n")
    }
}
