import Foundation
import TestSupport

/// Disks without room: a small one of its own holds the data folder.
extension Case {
    static let disks: [Case] = [
        Case("disk full under SQLite", Rig.Setting(hasSQLite: true)) { chaos in
            let rig = chaos.rig
            try await rig.mountData(megabytes: 100)
            try await chaos.during {
                try await rig.fillDisk(leaving: 0)
                try await eventually("store notices", within: .seconds(60)) {
                    try await rig.workers().contains { $0.services["database"] == "open" }
                }
                try await rig.sleep(seconds: chaos.seconds(3, 30))
                rig.freeDisk()
            }
        },
        Case("disk full under the managed broker", Rig.Setting(hasManagedBroker: true), isLong: true) { chaos in
            let rig = chaos.rig
            try await rig.mountData(megabytes: 700)
            try await chaos.during {
                // First below the limit at which it takes no more publishes, then to the last byte.
                try await rig.fillDisk(leaving: 100)
                try await rig.sleep(seconds: chaos.seconds(5, 20))
                try await rig.fillDisk(leaving: 0)
                try await rig.sleep(seconds: chaos.seconds(5, 40))
                rig.freeDisk()
            }
        },
    ]
}

extension Rig {
    private var ballast: URL { folder.url.appending(path: "data/ballast") }

    /// - Parameter megabytes: what is left.
    fileprivate func fillDisk(leaving megabytes: Int) async throws {
        let filling =
            megabytes == 0
            ? "cat /dev/zero >>ballast 2>/dev/null || true"
            : """
            free=$(df --output=avail --block-size=1M . | tail -n 1)
            head -c $(((free - \(megabytes)) * 1048576)) /dev/zero >>ballast
            """
        let result = try await RunningProgram.run(
            "/bin/bash",
            ["-c", filling],
            in: ballast.deletingLastPathComponent()
        )
        guard result.exitCode == 0 else { throw TimedOut(what: "a full disk: \(result.errors)") }
        let folder = ballast.deletingLastPathComponent().path
        let free = try FileManager.default.attributesOfFileSystem(forPath: folder)[.systemFreeSize] as? Int
        guard let free, free <= (megabytes + 5) << 20 else {
            throw TimedOut(what: "a full disk; \(free ?? -1) bytes are free")
        }
    }

    fileprivate func freeDisk() { try? FileManager.default.removeItem(at: ballast) }
}
