internal import Glibc
internal import Processes

/// Holds a data folder for one supervisor; released with the last reference, or by the kernel if the process dies.
package final class DataFolderLock: Sendable {
    private static let name = "supervisor.lock"
    private let folder: String
    private let descriptor: Descriptor

    private init(_ folder: String, _ descriptor: Descriptor) {
        self.folder = folder
        self.descriptor = descriptor
    }

    /// Whether the folder still holds what is locked: who removes it frees the folder for another supervisor.
    var isInPlace: Bool {
        var held = stat()
        var there = stat()
        return fstat(descriptor.number, &held) == 0 && stat("\(folder)/\(Self.name)", &there) == 0
            && held.st_ino == there.st_ino && held.st_dev == there.st_dev
    }

    /// Locks the folder anew, where it is there.
    ///
    /// - Throws: ``SupervisionError``.
    func renewed() throws -> DataFolderLock {
        var status = stat()
        guard stat(folder, &status) == 0 else { throw SupervisionError.system("the data folder \(folder) is gone") }
        return try Self.acquire(folder)
    }

    /// Makes the folder if need be, keeps others out of it (mode 0700), and locks it.
    ///
    /// - Throws: ``SupervisionError``: with code `locked` when another supervisor runs on the folder.
    package static func acquire(_ folder: String) throws -> DataFolderLock {
        try makeFolder(folder)
        guard chmod(folder, 0o700) == 0 else {
            throw SupervisionError.system("cannot keep the data folder \(folder) private")
        }
        let path = "\(folder)/\(name)"
        let number = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw SupervisionError.system("cannot open \(path)") }
        let descriptor = Descriptor(number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw SupervisionError.system("cannot lock \(path)") }
            throw SupervisionError(
                "another supervisor (pid \(holder(descriptor))) runs on this data folder: \(folder)",
                code: .locked
            )
        }
        ftruncate(number, 0)
        _ = descriptor.write(Array("\(getpid())\n".utf8))
        return DataFolderLock(folder, descriptor)
    }

    private static func holder(_ descriptor: Descriptor) -> String {
        guard case .bytes(let bytes) = descriptor.read(upTo: 32) else { return "unknown" }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    private static func makeFolder(_ folder: String) throws {
        guard mkdir(folder, 0o700) != 0, errno != EEXIST else { return }
        guard errno == ENOENT, let slash = folder.lastIndex(of: "/"), slash > folder.startIndex else {
            throw SupervisionError.system("cannot make the data folder \(folder)")
        }
        try makeFolder(String(folder[..<slash]))
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw SupervisionError.system("cannot make the data folder \(folder)")
        }
    }
}
