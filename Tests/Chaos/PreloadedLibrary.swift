import Foundation
import TestSupport

/// Libraries for `LD_PRELOAD`, which change what a worker gets from the system or from another library.
enum PreloadedLibrary {
    /// - Parameters:
    ///   - source: in C.
    ///   - folder: where it is put, and has to stay while it is used.
    /// - Returns: its path.
    static func compile(_ name: String, _ source: String, in folder: TemporaryFolder) async throws -> String {
        try folder.write(source, to: "\(name).c")
        let result = try await RunningProgram.run(
            "/usr/bin/env",
            ["clang", "-shared", "-fPIC", "-o", "\(name).so", "\(name).c", "-ldl"],
            in: folder.url
        )
        guard result.exitCode == 0 else { throw TimedOut(what: "clang: \(result.errors)") }
        return folder.url.appending(path: "\(name).so").path
    }
}
