import Foundation
import Model

/// Reads the files of recordings.
enum RecordingReader {
    /// Adds every line of a file to what is served; empty lines are passed over.
    ///
    /// - Throws: ``RecordingError`` naming file and line.
    static func load(_ path: String, into discord: inout SimulatedDiscord) throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        } catch {
            throw RecordingError(file: path, problem: "cannot be read: \(error.localizedDescription)")
        }
        try data.withUnsafeBytes { bytes in
            var start = 0
            var number = 0
            while start < bytes.count {
                number += 1
                let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
                let length = lineLength(rest)
                let line = Array(UnsafeRawBufferPointer(rebasing: rest[..<length]))
                start += length + 1
                if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) { continue }
                do {
                    try RecordingLine.load(line, into: &discord)
                } catch let error as RecordingError {
                    throw RecordingError(file: path, line: number, problem: error.problem)
                }
            }
        }
    }

    /// The bytes before the next newline, or all. `memchr`, because a search in Swift is slow in a debug build.
    private static func lineLength(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let start = bytes.baseAddress, let newline = memchr(start, 0x0A, bytes.count) else { return bytes.count }
        return UnsafeRawPointer(newline) - start
    }
}
