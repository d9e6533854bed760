import Foundation
import Model

/// Under which name this supervisor's fetch holds its leases.
///
/// Kept in the data folder, which one supervisor at a time uses: a fetch that was killed is followed by one of the
/// same name, which need not wait until the lease has run out.
enum FetcherID {
    /// - Throws: ``WorkerFailure`` when the data folder cannot be written.
    static func load(dataFolder: String) throws -> String {
        let path = dataFolder + "/fetcher-id"
        if let known = try? String(contentsOfFile: path, encoding: .utf8), known.count >= 16 { return known }
        let id = "fetch-" + (0..<4).map { _ in String(UInt32.random(in: 0x1000_0000...UInt32.max), radix: 16) }.joined()
        do {
            try Data(id.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw WorkerFailure(exitCode: ExitCode.internal, "cannot write \(path): \(error.localizedDescription)")
        }
        return id
    }
}
