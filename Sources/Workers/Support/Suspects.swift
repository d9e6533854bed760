import Foundation
import Messaging
import Model
import Processes
import Synchronization

/// What is known of messages that ended the process which had them in hand.
///
/// The broker's count of deliveries cannot tell a message that kills its worker from one that was merely returned: by
/// a stop, a restarted broker, a wait for a database. So a worker leaves a note in the data folder, which all its
/// replicas share, before it acts on a delivery, and takes it away after. A note that nobody holds tells that its writer
/// died while acting on that delivery, and on no other.
///
/// What it says holds for the program and the generation it was written under, and for no others: with those the crash
/// may be mended.
struct Suspects: Sendable {
    /// How the processes ended that died while they acted on a message.
    struct Evidence: Equatable {
        /// By a fault of their own, or by the supervisor since they hung.
        var crashes = 0
        /// Otherwise: killed from outside, or by the kernel when memory ran out. Often the message has no part in it.
        var kills = 0

        var deaths: Int { crashes + kills }
    }

    private static let smallBody = 8 * 1024

    private let folder: String
    private let generation: LiveGeneration

    /// - Parameter stage: as in ``Topology/stages``.
    init(dataFolder: String, stage: String, generation: LiveGeneration) {
        folder = "\(dataFolder)/suspects/\(stage)"
        self.generation = generation
    }

    /// Whether a delivery should be acted on alone: it was handed out before, or was split off a page.
    static func isSuspect(_ delivery: Delivery) -> Bool {
        delivery.redelivered || delivery.deliveryCount > 0 || delivery.headers?.isIsolated == true
    }

    /// To be held while acting on a delivery; `nil` when another process acts on it now, or no note can be written.
    func hold(_ delivery: Delivery) -> Hold? {
        let (path, setting) = (path(of: delivery), "\(generation.number)-\(Self.program)")
        if let hold = Hold(path: path, setting: setting) { return hold }
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return Hold(path: path, setting: setting)
    }

    /// Tells this build of the program from every other.
    private static let program: String = {
        var info = stat()
        guard stat("/proc/self/exe", &info) == 0 else { return Chaffinch.version }
        return "\(info.st_size)-\(info.st_mtim.tv_sec)-\(info.st_ino)"
    }()

    private func path(of delivery: Delivery) -> String {
        var hash = StableHash()
        // What is small is known by its bytes alone: a message in a page of its own and the same one split off another.
        if delivery.body.count > Self.smallBody { hash.add("\(delivery.messageID ?? "")/\(delivery.body.count)/".utf8) }
        hash.add(delivery.body.prefix(Self.smallBody))
        // A replay is a new attempt, made because something was mended.
        hash.add((delivery.headers?.replay ?? "").utf8)
        return "\(folder)/\(hash.hexadecimal)"
    }

    /// A note in somebody's hand. It goes with its owner, unless that dies.
    ///
    /// The file holds the setting and a letter for each death. Our own stands there from the start, as a kill, which a
    /// crash overwrites.
    final class Hold: Sendable {
        private static let crash = UInt8(ascii: "c")
        private static let kill = UInt8(ascii: "k")
        private static let longestNote = 256

        /// What earlier processes left.
        let evidence: Evidence
        private let descriptor: Int32
        private let path: String
        private let found: [UInt8]
        private let slot: Int32?
        private enum End { case open, remembered, over }
        private let end = Mutex(End.open)

        /// - Returns: `nil` when another process acts on the message now, or the file cannot be written.
        fileprivate init?(path: String, setting: String) {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { return nil }
            // The lock goes with the process, the file's content does not.
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                close(descriptor)
                return nil
            }
            var content = [UInt8](repeating: 0, count: Self.longestNote)
            let length = max(0, read(descriptor, &content, content.count))
            content.removeLast(content.count - length)
            let head = Array("\(setting) ".utf8)
            // Letters from another setting say nothing in this one.
            let found = content.starts(with: head) && content.count < Self.longestNote ? content : head
            let next = found + [Self.kill]
            guard pwrite(descriptor, next, next.count, 0) == next.count, ftruncate(descriptor, off_t(next.count)) == 0
            else {
                close(descriptor)
                return nil
            }
            let marks = found[head.count...]
            evidence = Evidence(
                crashes: marks.count { $0 == Self.crash },
                kills: marks.count { $0 == Self.kill }
            )
            slot = CrashNotes.hold(descriptor, at: found.count, mark: Self.crash)
            self.found = found
            self.descriptor = descriptor
            self.path = path
        }

        /// Keeps the note, as it was found: the same message may be on its way a second time.
        func remember() {
            end.withLock { if $0 == .open { $0 = .remembered } }
        }

        /// Takes the note away while the delivery is still in hand: what may end the process from now on is not its doing.
        func withdraw() {
            end.withLock { end in
                guard end != .over else { return }
                if let slot { CrashNotes.release(slot) }
                if end == .remembered {
                    pwrite(descriptor, found, found.count, 0)
                    ftruncate(descriptor, off_t(found.count))
                } else {
                    unlink(path)
                }
                close(descriptor)
                end = .over
            }
        }

        deinit {
            withdraw()
        }
    }
}
