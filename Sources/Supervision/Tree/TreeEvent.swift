internal import Model
internal import Processes

/// One process of the tree: a child and the number of its replica, from 1.
package struct ReplicaID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let child: String
    package let index: Int

    package init(_ child: String, _ index: Int = 1) {
        self.child = child
        self.index = index
    }

    package var description: String { "\(child)/\(index)" }

    package static func < (left: ReplicaID, right: ReplicaID) -> Bool {
        (left.child, left.index) < (right.child, right.index)
    }
}

/// How a process ended, as `wait` tells it.
package enum ExitStatus: Sendable, Equatable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    /// Reads the status word that `waitpid` fills in (bits as in glibc's `bits/waitstatus.h`).
    init(waitStatus status: Int32) {
        let signal = status & 0x7f
        self = signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
    }

    /// 0–255, or 128 + n after signal n, as shells have it.
    package var code: Int32 {
        switch self {
        case .exited(let code): code
        case .signalled(let signal): 128 + signal
        }
    }

    package var signal: Int32? {
        if case .signalled(let signal) = self { signal } else { nil }
    }

    package var description: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .signalled(let signal): "killed by \(Signals.name(signal))"
        }
    }
}

/// What happens to the tree.
enum TreeEvent: Sendable {
    case begin
    case started(ReplicaID, pid: Int32)
    /// The program could not be run: 127 when it is missing, 126 for every other reason.
    case spawnFailed(ReplicaID, code: Int32, reason: String)
    case said(ReplicaID, ChildMessage)
    /// Its end of the control channel is closed: it hears nothing any more. It has not ended.
    case hungUp(ReplicaID)
    case probed(ReplicaID, healthy: Bool)
    /// The leader was reaped. `groupRemains`: others of its process group still live. `cause`: what is known beyond the
    /// status.
    case exited(ReplicaID, ExitStatus, groupRemains: Bool, cause: String? = nil)
    /// The last process of a group whose leader was reaped is gone.
    case groupGone(ReplicaID)
    /// Time passed; sent whenever ``TreeStateMachine/nextDeadline`` has come.
    case tick
    /// The supervisor itself was held up, so what seems late may not be.
    case heldUp
    /// An operator wants new processes of these.
    case restartRequested([ReplicaID])
    /// An operator wants the failures of these forgotten.
    case resetRequested([ReplicaID])
    /// A checked tree is to take the place of the one that runs.
    case reloadRequested([ChildSpecification], stopTimeout: Duration)
    /// SIGTERM or SIGINT; the second one means now.
    case stopRequested
}

/// What the tree wants done, in order.
enum TreeAction: Sendable, Equatable {
    /// Answered by `started` or `spawnFailed`.
    case spawn(ReplicaID)
    case send(ReplicaID, SupervisorMessage)
    case signalGroup(ReplicaID, Int32)
    case signalLeader(ReplicaID, Int32)
    /// Answered by `probed`.
    case probe(ReplicaID)
    case log(TreeLogLine)
    /// The last reload that was requested is over.
    case reloaded(ReloadEnd)
    /// Nothing of the tree lives any more, or it never will be gone: leave with this code.
    case end(Int32)
}

/// How a reload ended.
struct ReloadEnd: Sendable, Equatable {
    /// The job that could not be done, and so kept the tree as it was.
    var refusedBy: ReplicaID?
    /// What did not become as it was asked for.
    var problems: [String] = []
}

/// Something an operator may want to know.
struct TreeLogLine: Sendable, Equatable {
    var level: LogSettings.Level
    var message: String
    var replica: ReplicaID?
    var fields: [String: LogField] = [:]
}

enum LogField: Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    case text(String)
    case integer(Int64)

    init(stringLiteral value: String) { self = .text(value) }
}
