import Foundation

/// The folder of rule files, `parsers/`.
package enum RuleFolder {
    /// Every `*.yaml` and `*.yml` in `folder` and below, sorted by name. Symbolic links are followed, as mounted
    /// configuration needs; what starts with a dot is left out. A file that cannot be read is among the results, with
    /// its ``SourceFile/problem``.
    ///
    /// - Parameter shownAs: What stands for `folder` in the names, such as `parsers`.
    /// - Throws: ``FileProblem`` when `folder` itself cannot be read.
    package static func read(_ folder: String, shownAs: String) throws -> [SourceFile] {
        var walk = Walk()
        try walk.enter(folder, shownAs: shownAs.hasSuffix("/") ? String(shownAs.dropLast()) : shownAs)
        return walk.files.sorted { $0.name < $1.name }
    }

    /// As ``read(_:shownAs:)``, with nothing for a folder that is not there.
    static func readIfPresent(_ folder: String, shownAs: String) throws -> [SourceFile] {
        access(folder, F_OK) == 0 ? try read(folder, shownAs: shownAs) : []
    }

    private struct Walk {
        private struct Place: Hashable {
            var device: UInt
            var inode: UInt
        }

        private(set) var files: [SourceFile] = []
        /// Links may lead round in a circle; each folder is read once.
        private var seen: Set<Place> = []

        mutating func enter(_ folder: String, shownAs name: String) throws(FileProblem) {
            var status = stat()
            guard stat(folder, &status) == 0 else { throw FileProblem(folder, errno: errno) }
            guard seen.insert(Place(device: UInt(status.st_dev), inode: UInt(status.st_ino))).inserted else { return }
            guard let entries = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
                throw FileProblem(folder, "not a readable folder")
            }
            for entry in entries.sorted() where !entry.hasPrefix(".") {
                visit("\(folder)/\(entry)", shownAs: "\(name)/\(entry)")
            }
        }

        private mutating func visit(_ path: String, shownAs name: String) {
            var status = stat()
            let exists = stat(path, &status) == 0
            if exists, status.st_mode & S_IFMT == S_IFDIR {
                do {
                    try enter(path, shownAs: name)
                } catch {
                    files.append(SourceFile(name: name, problem: "cannot read the folder: \(error.reason)"))
                }
            } else if path.hasSuffix(".yaml") || path.hasSuffix(".yml") {
                files.append(SourceFile(path: path, shownAs: name))
            }
        }
    }
}
