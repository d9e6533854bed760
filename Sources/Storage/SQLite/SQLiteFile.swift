import Glibc

/// Where a database file is to be, seen before SQLite opens it: SQLite would make an empty file where there is none.
struct SQLiteFile {
    let path: String

    /// False only where there is certainly no file. Of one that cannot be reached, opening it tells why.
    var exists: Bool { access(path, F_OK) == 0 || errno != ENOENT }

    /// Which file stands under the path now; `nil` when none can be seen.
    var identity: Identity? {
        var info = stat()
        return stat(path, &info) == 0 ? Identity(device: info.st_dev, inode: info.st_ino) : nil
    }

    struct Identity: Equatable {
        var device: dev_t
        var inode: ino_t
    }

    /// Makes the folder of the file, and those above it, for their owner alone; folders that are there stay as they are.
    ///
    /// - Throws: ``StoreError`` with code `permission` or `unavailable`.
    func makeFolder() throws {
        for slash in path.indices.dropFirst() where path[slash] == "/" {
            let folder = String(path[..<slash])
            // Asked first, since mkdir may name another trouble, such as a read-only root, before it says EEXIST.
            if access(folder, F_OK) == 0 { continue }
            guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
                let number = errno
                throw StoreError(
                    [EACCES, EPERM, EROFS].contains(number) ? .permission : .unavailable,
                    "SQLite: cannot make the folder \(folder): \(String(cString: strerror(number)))"
                )
            }
        }
    }
}
