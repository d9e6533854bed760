internal import Glibc
internal import Model

/// One look at watched files: the folders that hold them, the links that lead to them, and a print that is another one
/// when any of them changed.
struct FileSurvey {
    /// The folders at and below the watched one.
    private(set) var folders: Set<String> = []
    /// For each folder the names in it that lead to something watched: links on the way, and the watched paths.
    private(set) var links: [String: Set<String>] = [:]
    /// FNV-1a over names, sizes, times and inodes.
    private(set) var print: UInt64 = 0xCBF2_9CE4_8422_2325
    /// The latest change of any of them: of content, of name, or of the entries of a folder.
    private(set) var lastChange = Timestamp(microseconds: 0)

    private struct Place: Hashable {
        var device: dev_t
        var inode: ino_t
    }

    private static let mostLinks = 40
    private static let deepest = 32
    private var seen: Set<Place> = []

    init(_ paths: WatchedPaths) {
        follow(paths.file, linksLeft: Self.mostLinks)
        note(paths.file)
        guard let folder = paths.folder else { return }
        follow(folder, linksLeft: Self.mostLinks)
        enter(folder, depth: 0)
    }

    /// Notes the links along a path, and its last name.
    private mutating func follow(_ path: String, linksLeft: Int) {
        var folder = ""
        let names = path.split(separator: "/").map(String.init)
        for (index, name) in names.enumerated() where linksLeft > 0 {
            let here = folder.isEmpty ? "/" : folder
            let isLast = index == names.count - 1
            if let target = Self.target(of: "\(folder)/\(name)") {
                var status = stat()
                if lstat("\(folder)/\(name)", &status) == 0 { changed(status) }
                links[here, default: []].insert(name)
                let rest = names[(index + 1)...].map { "/" + $0 }.joined()
                let next = target.hasPrefix("/") ? target : "\(folder)/\(target)"
                return follow(Self.plain(next + rest), linksLeft: linksLeft - 1)
            }
            if isLast { links[here, default: []].insert(name) }
            folder += "/" + name
        }
    }

    /// Without `.` and `..`, which in a link's text mean what they say.
    private static func plain(_ path: String) -> String {
        var names: [Substring] = []
        for name in path.split(separator: "/") {
            if name == ".." { _ = names.popLast() } else if name != "." { names.append(name) }
        }
        return "/" + names.joined(separator: "/")
    }

    private static func target(of path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes {
            readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    private mutating func enter(_ folder: String, depth: Int) {
        var status = stat()
        guard depth < Self.deepest, stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
            seen.insert(Place(device: status.st_dev, inode: status.st_ino)).inserted
        else { return }
        folders.insert(folder)
        // What was removed from it leaves no other trace.
        changed(status)
        for name in Self.names(in: folder) where !name.hasPrefix(".") {
            let path = "\(folder)/\(name)"
            if Self.target(of: path) != nil { follow(path, linksLeft: Self.mostLinks) }
            if let mode = note(path), mode & S_IFMT == S_IFDIR { enter(path, depth: depth + 1) }
        }
    }

    private static func names(in folder: String) -> [String] {
        guard let entries = opendir(folder) else { return [] }
        defer { closedir(entries) }
        var found: [String] = []
        while let entry = readdir(entries) {
            found.append(
                withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
            )
        }
        return found.sorted()
    }

    /// Takes a path into the print. Its mode, or `nil` for what is not there.
    @discardableResult
    private mutating func note(_ path: String) -> mode_t? {
        var status = stat()
        let exists = stat(path, &status) == 0
        mix(path.utf8)
        guard exists else { return nil }
        mix(status.st_ino)
        mix(status.st_dev)
        mix(status.st_mode)
        changed(status)
        // A folder's own times say nothing that its entries do not.
        guard status.st_mode & S_IFMT != S_IFDIR else { return status.st_mode }
        mix(status.st_size)
        mix(status.st_mtim.tv_sec)
        mix(status.st_mtim.tv_nsec)
        return status.st_mode
    }

    /// A rename changes an inode too, and so does a chmod; the time of its content may be set to anything.
    private mutating func changed(_ status: stat) {
        let time = status.st_ctim
        lastChange = max(
            lastChange,
            Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
        )
    }

    private mutating func mix(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value) { mix($0) }
    }

    private mutating func mix(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { print = (print ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
}
