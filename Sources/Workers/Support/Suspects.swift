import Foundation
import Messaging
import Model
import Synchronization

/// What is known of messages that ended the process which had them in hand.
///
/// The broker's count of deliveries cannot tell a message that kills its worker from one that was merely returned: by
/// a stop, a restarted broker, a wait for a database. So a worker leaves a note in the data folder, which all its
/// replicas share, before it acts on a delivery, and takes it away after: some 30 µs for a page. A note that nobody
/// holds tells that its writer died while acting on that delivery, and on no other.
struct Suspects: Sendable {
    private static let smallBody = 8 * 1024

    private let folder: String

    /// - Parameter stage: as in ``Topology/stages``.
    init(dataFolder: String, stage: String) {
        folder = "\(dataFolder)/suspects/\(stage)"
    }

    /// Whether a delivery should be acted on alone: it was handed out before, or was split off a page.
    static func isSuspect(_ delivery: Delivery) -> Bool {
        delivery.redelivered || delivery.deliveryCount > 0 || delivery.headers?.isIsolated == true
    }

    /// To be held while acting on a delivery; `nil` when another process acts on it now, or no note can be written.
    func hold(_ delivery: Delivery) -> Hold? {
        if let hold = Hold(path: path(of: delivery)) { return hold }
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return Hold(path: path(of: delivery))
    }

    private func path(of delivery: Delivery) -> String {
        // FNV-1a, 64 bits: the same in every process and release.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        // What is small is known by its bytes: a message in a page of its own and the same one split off another.
        let isSmall = delivery.body.count <= Self.smallBody
        let identity = isSmall ? delivery.body : delivery.messageID.map { Array($0.utf8) } ?? delivery.body
        // A replay is a new attempt, made because something was mended.
        for byte in identity + (delivery.headers?.replay ?? "").utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x0100_0000_01b3
        }
        return "\(folder)/\(String(hash, radix: 16))"
    }

    /// A note in somebody's hand. It goes with its owner, unless that is killed.
    final class Hold: Sendable {
        /// How many processes died while they acted on this message.
        let deaths: Int
        private let descriptor: Int32
        private let path: String
        private let isRemembered = Atomic(false)

        /// Keeps the note, as it was found: the same message may be on its way a second time.
        func remember() {
            isRemembered.store(true, ordering: .relaxed)
        }

        /// - Returns: `nil` when another process acts on the message now, or the file cannot be written.
        fileprivate init?(path: String) {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { return nil }
            // The lock goes with the process, the file's content does not.
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                close(descriptor)
                return nil
            }
            var content = [UInt8](repeating: 0, count: 16)
            let length = max(0, read(descriptor, &content, content.count))
            deaths = Int(String(decoding: content[..<length], as: UTF8.self)) ?? 0
            let next = Array("\(deaths + 1)".utf8)
            guard pwrite(descriptor, next, next.count, 0) == next.count else {
                close(descriptor)
                return nil
            }
            self.descriptor = descriptor
            self.path = path
        }

        deinit {
            if isRemembered.load(ordering: .relaxed) {
                let found = Array("\(deaths)".utf8)
                pwrite(descriptor, found, found.count, 0)
            } else {
                unlink(path)
            }
            close(descriptor)
        }
    }
}
