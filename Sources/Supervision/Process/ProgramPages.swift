internal import Glibc
internal import Processes

/// The pages of the program and its libraries that this process has touched.
enum ProgramPages {
    /// Gives all of them back to the kernel, which keeps them in its cache and maps those again that are still used.
    ///
    /// Reading the configuration touches many times more code than watching a tree for months does. Only mappings of
    /// files that hold no page of our own are let go (`Anonymous: 0` in proc(5)'s `smaps`): nothing can be lost.
    static func giveBack() {
        for mapping in unchangedMappings() {
            guard let start = UnsafeMutableRawPointer(bitPattern: mapping.lowerBound) else { continue }
            madvise(start, Int(mapping.upperBound - mapping.lowerBound), Int32(MADV_DONTNEED))
        }
    }

    static func unchangedMappings() -> [Range<UInt>] {
        guard let text = ProcFile.read("/proc/self/smaps", upTo: 4 << 20) else { return [] }
        var found: [Range<UInt>] = []
        var current: Range<UInt>?
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if let range = words.first.flatMap({ addresses($0) }) {
                // Address, permissions, offset, device, inode, path.
                let isUnwritableFile =
                    words.count >= 6 && ["r-xp", "r--p"].contains(words[1]) && words[5].hasPrefix("/")
                current = isUnwritableFile ? range : nil
            } else if words.count >= 2, words[0] == "Anonymous:", let range = current {
                if words[1] == "0" { found.append(range) }
                current = nil
            }
        }
        return found
    }

    private static func addresses(_ word: Substring) -> Range<UInt>? {
        let ends = word.split(separator: "-")
        guard ends.count == 2, let start = UInt(ends[0], radix: 16), let end = UInt(ends[1], radix: 16), start < end
        else { return nil }
        return start..<end
    }
}

/// A file under `/proc`, whose size nobody knows before it is read.
enum ProcFile {
    static func read(_ path: String, upTo limit: Int = 64 << 10) -> String? {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let descriptor = Descriptor(number)
        var bytes: [UInt8] = []
        while bytes.count < limit, case .bytes(let more) = descriptor.read(upTo: 16 << 10) { bytes += more }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
