import Foundation
import PipelineFile

/// How far a long command has come, in a file of the data folder, so that one that was killed goes on where it was.
///
/// Two commands with one file would mislead each other, so it is held locked while in use; the lock ends with the
/// process.
package final class PositionFile<Position: Codable & Sendable>: Sendable {
    private let path: String
    private let lock: Int32

    /// - Parameter name: of the command, such as `reparse`.
    /// - Throws: `FileProblem` when the folder cannot be written, or when another such command runs on it.
    package init(dataFolder: String, name: String) throws {
        path = "\(dataFolder)/\(name).json"
        // Where no supervisor ever ran there is none yet.
        if mkdir(dataFolder, 0o700) != 0, errno != EEXIST {
            throw FileProblem(dataFolder, String(cString: strerror(errno)))
        }
        let lockPath = "\(dataFolder)/\(name).lock"
        lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw FileProblem(lockPath, String(cString: strerror(errno))) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw FileProblem(lockPath, "another '\(name)' runs with this data folder")
        }
    }

    deinit {
        close(lock)
    }

    /// What the last command left; `nil` when there is nothing, or nothing that can be read.
    package func load() -> Position? {
        FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(Position.self, from: $0) }
    }

    /// - Throws: `FileProblem`.
    package func save(_ position: Position) throws {
        do {
            try JSONEncoder().encode(position).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw FileProblem(path, error.localizedDescription)
        }
    }

    /// There is nothing left to go on with.
    package func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}
