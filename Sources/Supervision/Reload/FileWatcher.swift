internal import Glibc
internal import Model
internal import Processes

/// Notices that a file or a folder of files changed: by inotify, whose events only say "look again", and by a slow look
/// at the files themselves where a file system sends none.
///
/// Folders are watched, not files, since editors write by rename. Every link on the way is watched too: a mounted
/// ConfigMap changes by swapping the link `..data`.
final class FileWatcher {
    /// A look costs a `stat` for each file.
    static let interval = Duration.seconds(10)

    /// What counts in a watched folder.
    private enum Interest {
        case names(Set<String>)
        /// Every name that does not begin with a dot, and these.
        case everything(Set<String>)

        func covers(_ name: String) -> Bool {
            switch self {
            case .names(let names): names.contains(name)
            case .everything(let names): !name.hasPrefix(".") || names.contains(name)
            }
        }
    }

    private let inotify: Descriptor?
    private var watches: [Int32: Interest] = [:]
    private var paths: WatchedPaths
    private var lastLook: FileSurvey
    private var nextLook: Duration

    init(_ paths: WatchedPaths, at now: Duration) {
        let number = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        inotify = number >= 0 ? Descriptor(number) : nil
        self.paths = paths
        lastLook = FileSurvey(paths)
        nextLook = now + Self.interval
        watch()
    }

    /// When anything that is watched last changed, by the clock of its file system.
    var lastChange: Timestamp { lastLook.lastChange }

    var polled: pollfd { pollfd(fd: inotify?.number ?? -1, events: Int16(POLLIN), revents: 0) }

    var nextDeadline: Duration? { nextLook }

    /// From now on other files are watched.
    func follow(_ paths: WatchedPaths) {
        guard paths != self.paths else { return }
        self.paths = paths
        look()
    }

    /// Whether anything has changed since the last time.
    func hasChanged(at now: Duration) -> Bool {
        var changed = readEvents()
        if nextLook <= now {
            nextLook = now + Self.interval
            let before = lastLook.print
            if !changed { look() }
            changed = changed || lastLook.print != before
        }
        if changed { look() }
        return changed
    }

    private func look() {
        lastLook = FileSurvey(paths)
        watch()
    }

    /// Adds what is new. Watches of folders that are gone remove themselves.
    private func watch() {
        guard let inotify else { return }
        let mask =
            IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
            | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
        var found: [Int32: Interest] = [:]
        for folder in Set(lastLook.links.keys).union(lastLook.folders) {
            let number = inotify_add_watch(inotify.number, folder, UInt32(mask))
            guard number >= 0 else { continue }
            let names = lastLook.links[folder] ?? []
            // Two paths may lead to one folder.
            switch (found[number], lastLook.folders.contains(folder)) {
            case (.everything(let others), _): found[number] = .everything(others.union(names))
            case (.names(let others), true): found[number] = .everything(others.union(names))
            case (.names(let others), false): found[number] = .names(others.union(names))
            case (nil, true): found[number] = .everything(names)
            case (nil, false): found[number] = .names(names)
            }
        }
        for number in watches.keys where found[number] == nil { inotify_rm_watch(inotify.number, number) }
        watches = found
    }

    /// Whether one of the events counts.
    private func readEvents() -> Bool {
        var changed = false
        while case .bytes(let bytes)? = inotify?.read(upTo: 16 << 10) {
            bytes.withUnsafeBytes { raw in
                let header = MemoryLayout<inotify_event>.size
                var offset = 0
                while offset + header <= raw.count {
                    let event = raw.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                    let end = min(offset + header + Int(event.len), raw.count)
                    let name = raw[(offset + header)..<end].prefix { $0 != 0 }
                    changed = counts(event, String(decoding: name, as: UTF8.self)) || changed
                    offset = end
                }
            }
        }
        return changed
    }

    private func counts(_ event: inotify_event, _ name: String) -> Bool {
        // The queue ran over: anything may have changed.
        if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { return true }
        guard let interest = watches[event.wd] else { return false }
        if event.mask & UInt32(IN_IGNORED) != 0 {
            watches[event.wd] = nil
            return true
        }
        return name.isEmpty ? event.mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF) != 0 : interest.covers(name)
    }
}

/// The user's files: one, and a folder with all that is below it.
package struct WatchedPaths: Sendable, Equatable {
    package var file: String
    package var folder: String?

    /// Both absolute.
    package init(file: String, folder: String?) {
        self.file = file
        self.folder = folder
    }
}
