internal import CProcess
internal import Glibc

/// Notes in files that a crash of this process leaves its mark on.
///
/// A crash is a fault of the process's own: a signal by which the kernel ends what it did, `abort`, or the SIGABRT by which
/// the supervisor ends a child that hangs. Whoever is killed from outside leaves no mark.
package enum CrashNotes {
    private static let beginning: Void = cf_crash_notes_begin()

    /// Marks are left from now on. Further calls change nothing.
    package static func begin() { beginning }

    /// - Parameters:
    ///   - descriptor: of an open file; to stay open until ``release(_:)``.
    ///   - offset: where the mark goes.
    /// - Returns: what ``release(_:)`` takes; `nil` when too many notes are held at once.
    package static func hold(_ descriptor: Int32, at offset: Int, mark: UInt8) -> Int32? {
        let slot = cf_crash_note_hold(descriptor, off_t(offset), CChar(bitPattern: mark))
        return slot < 0 ? nil : slot
    }

    package static func release(_ slot: Int32) { cf_crash_note_release(slot) }
}
