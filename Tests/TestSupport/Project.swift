package import Foundation

/// Where this checkout and its build are.
package enum Project {
    /// The folder of `Package.swift`.
    package static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath)
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            if FileManager.default.fileExists(atPath: folder.appending(path: "Package.swift").path) { return folder }
        }
        return URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    }()

    /// The folder of the built executables: `scripts/test` names it, else it is where the test bundle lies.
    package static let binaries: URL = {
        if let named = ProcessInfo.processInfo.environment["CHAFFINCH_TEST_BINARIES"] {
            return URL(fileURLWithPath: named)
        }
        return root.appending(path: ".build/debug")
    }()

    package static func binary(_ name: String) -> String { binaries.appending(path: name).path }

    /// Real Discord messages and signal texts; a test that uses them skips where the folder is absent.
    package static let sharedData: URL? = {
        let named = ProcessInfo.processInfo.environment["CHAFFINCH_SHARED_DATA"].map { URL(fileURLWithPath: $0) }
        let folder = named ?? root.deletingLastPathComponent().appending(path: "shared/data")
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }()

    package static let missingSharedData = "needs the folder of real messages; set CHAFFINCH_SHARED_DATA"
}
