internal import CProcess
internal import Glibc

/// The wait for every child of the process, adopted ones too: only one place in a process may do that.
package enum Reaper {
    package enum Reaped {
        /// As `wait` has it.
        case ended(pid: Int32, waitStatus: Int32)
        /// There are children, and none has ended.
        case none
        case noChildren
    }

    /// Takes one child that has ended, without waiting for it.
    package static func reap() -> Reaped {
        var status: Int32 = 0
        let pid = cf_reap(&status)
        return pid > 0 ? .ended(pid: pid, waitStatus: status) : pid == 0 ? .none : .noChildren
    }

    /// Adopts orphaned descendants from now on, as PID 1 does anyway. False when the system refuses, with `errno`.
    package static func adoptOrphans() -> Bool { cf_become_subreaper() == 0 }
}
