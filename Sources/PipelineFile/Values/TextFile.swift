import Foundation

/// Files as text, read whole.
package enum TextFile {
    /// Bytes; no file that Chaffinch reads is meant to be larger.
    static let maximumSize = YAMLParser.maximumSize

    /// - Throws: ``FileProblem`` when `path` is no readable regular file of UTF-8 of at most 1 MiB.
    package static func read(_ path: String) throws(FileProblem) -> String {
        // A pipe or device would block the open, so what it is comes first.
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileProblem(path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileProblem(path, "not a regular file") }
        guard status.st_size <= maximumSize else { throw FileProblem(path, "larger than 1 MiB") }
        guard let data = FileManager.default.contents(atPath: path) else { throw FileProblem(path, errno: errno) }
        guard let text = String(validating: data, as: UTF8.self) else { throw FileProblem(path, "not UTF-8 text") }
        return text
    }

    /// Reads a file that stands for a value, such as a secret.
    ///
    /// - Throws: ``FileProblem`` also for a NUL character: the environment, which hands the value on, ends there.
    package static func readValue(_ path: String) throws(FileProblem) -> String {
        let text = try read(path)
        guard !text.utf8.contains(0) else {
            throw FileProblem(path, "it holds a NUL character; save it as plain UTF-8 text")
        }
        return text
    }
}

/// Why a file or folder could not be read or written.
package struct FileProblem: Error, Equatable, CustomStringConvertible {
    package var path: String
    package var reason: String

    package init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    init(_ path: String, errno code: Int32) {
        self.init(path, String(cString: strerror(code)).lowercased())
    }

    package var description: String { "cannot use '\(path)': \(reason)" }
}

extension SourceFile {
    /// Reads the file at `path`. One that cannot be read still gives a source file, which carries the
    /// ``problem``, so that it is reported among all other mistakes.
    package init(path: String, shownAs name: String) {
        do {
            self.init(name: name, text: try TextFile.read(path))
        } catch {
            self.init(name: name, problem: "cannot read the file: \(error.reason)")
        }
    }
}
