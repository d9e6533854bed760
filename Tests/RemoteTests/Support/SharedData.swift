import Foundation

/// Recorded data that is not part of the repository: read where it is present.
enum SharedData {
    static func bytes(of name: String) -> [UInt8]? {
        let beside = URL(filePath: #filePath).appending(path: "../../../../../shared/data").standardized.path
        let folder = ProcessInfo.processInfo.environment["CHAFFINCH_SHARED_DATA"] ?? beside
        return FileManager.default.contents(atPath: folder + "/" + name).map { Array($0) }
    }
}
