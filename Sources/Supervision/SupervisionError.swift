internal import Glibc

/// Why the supervisor, or a request to it, could not do its work.
package struct SupervisionError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The tree as described cannot be run.
        case configuration
        /// A system call failed.
        case system
        /// Another supervisor holds the data folder.
        case locked
        /// No supervisor answers.
        case unavailable
    }

    package var code: Code
    package var description: String

    package init(_ description: String, code: Code = .configuration) {
        self.code = code
        self.description = description
    }

    /// For a system call that failed just now.
    static func system(_ what: String, errno error: Int32 = errno) -> SupervisionError {
        SupervisionError("\(what): \(String(cString: strerror(error)))", code: .system)
    }
}
