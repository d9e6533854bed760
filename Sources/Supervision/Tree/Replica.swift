internal import Model

/// The state of one process of the tree. ``TreeStateMachine`` moves it; it decides nothing about others.
struct Replica: Sendable {
    enum Phase: Sendable, Equatable {
        /// For its dependencies, or for its turn.
        case waiting
        /// A spawn was ordered and not yet answered.
        case spawning
        /// The leader lives.
        case running
        /// It was told to end; ``Replica/stop`` says how.
        case stopping
        /// The leader ended by itself, and the rest of its group was killed and is awaited.
        case clearing
        case backoff(until: Duration)
        /// Its breaker is open.
        case open(until: Duration)
        /// For good, with success or without.
        case ended(success: Bool)
    }

    /// A stop under way: drain, then SIGTERM, then SIGKILL to the group.
    struct Stop: Sendable, Equatable {
        enum Purpose: Sendable, Equatable {
            /// The whole tree ends.
            case tree
            /// It took too long to become ready.
            case startTimeout
            /// It has been silent for too long.
            case liveness
            /// It has work at hand and finishes none of it.
            case stuck
            /// A dependency that propagates its restarts is being restarted.
            case knockOn
            /// Somebody asked for a new one.
            case restart
            /// A reload replaces it.
            case replace
            /// A reload leaves it out.
            case removed
        }

        var purpose: Purpose
        /// When SIGTERM is due; `nil` once it was sent.
        var terminateAt: Duration?
        var killAt: Duration
        var killed = false
    }

    /// What the last end of the process looked like.
    struct LastExit: Sendable, Equatable {
        var code: Int32
        var signal: Int32?
        var reason: String
    }

    /// Counts of a probe since the process started.
    struct Probing: Sendable, Equatable {
        var nextAt: Duration?
        var successesInARow = 0
        var failuresInARow = 0
    }

    /// A new specification on its way into the process.
    enum Change: Sendable, Equatable {
        /// It was told of a new generation, and its answer is due.
        case reloading(until: Duration)
        /// A new process is to become ready.
        case replacing
    }

    let id: ReplicaID
    /// The child's position in the tree.
    var position: Int
    /// What its process was started from, or its next one will be. A reload brings it to that of the tree.
    var specification: ChildSpecification
    var change: Change?
    /// What to go back to should ``change`` fail; `nil` when there is nothing.
    var previous: ChildSpecification?
    /// It cannot take over a new generation as it runs.
    var mustBeReplaced = false
    /// A reload left it out: it ends, and is forgotten then.
    var isLeaving = false
    var phase: Phase = .waiting
    var pid: Int32?
    var stop: Stop?
    var isReady = false
    var readySince: Duration?
    /// Whether this incarnation has been ready at any time.
    var hasBeenReady = false
    /// Whether it speaks `chaffinch-child/1`.
    var speaks = false
    /// Whether its end of the control channel is open.
    var hears = true
    /// It was found to be unwanted between the order to spawn it and the answer.
    var stopOnceStarted: Stop.Purpose?
    var startDeadline: Duration?
    /// When its silence will have been too long.
    var silentAt: Duration?
    /// When it will have worked for too long without finishing anything; `nil` while it has nothing at hand.
    var stuckAt: Duration?
    /// When it will have been ready for long enough to count as a success.
    var stableAt: Duration?
    /// Somebody asked for a new one while the remains of the last are being cleared away.
    var restartOnceCleared = false
    /// When a command without a probe counts as ready.
    var readyByAgeAt: Duration?
    var probing = Probing()
    /// Dependencies hold back the first start only; a crash of a dependency later is no reason not to restart.
    var passedGate = false
    var starts = 0
    /// Failures since it last was ready for long.
    var failuresInARow = 0
    var backoff: Backoff
    var breaker: Breaker?
    var lastExit: LastExit?
    var lastHeartbeat: Duration?
    var progress: UInt64?
    /// What it has at hand, by its own word; `nil` from those that do not tell.
    var backlog: UInt64?
    /// A service that it waits for, by its own word.
    var waitingFor: String?
    var stats: [String: Int64] = [:]
    /// What it says of the services it depends on: `open` or `closed`.
    var services: [String: String] = [:]
    var rulesGeneration: Int64?

    init(id: ReplicaID, position: Int, of child: ChildSpecification) {
        self.id = id
        self.position = position
        specification = child
        backoff = child.backoff
        breaker = child.breaker.map { Breaker($0) }
    }

    /// Whether a process of this replica may exist.
    var hasProcess: Bool {
        switch phase {
        case .spawning, .running, .stopping, .clearing: true
        case .waiting, .backoff, .open, .ended: false
        }
    }

    var hasEnded: Bool {
        if case .ended = phase { true } else { false }
    }

    var hasFailed: Bool { phase == .ended(success: false) }

    /// The earliest time at which something is due.
    var nextDeadline: Duration? {
        switch phase {
        case .backoff(let until), .open(let until): until
        case .running:
            [isReady ? nil : startDeadline, readyByAgeAt, probing.nextAt, silentAt, stuckAt, stableAt, answerDueAt]
                .compactMap { $0 }.min()
        case .stopping:
            stop.flatMap { stop in
                [stop.terminateAt, stop.killed ? nil : stop.killAt].compactMap { $0 }.min()
            }
        case .waiting, .spawning, .clearing, .ended: nil
        }
    }

    var answerDueAt: Duration? {
        if case .reloading(let until) = change { until } else { nil }
    }

    /// Forgets what belongs to one process.
    mutating func forgetProcess() {
        // What it was told went with it; its successor has to show that the new specification works.
        if answerDueAt != nil { change = .replacing }
        mustBeReplaced = false
        pid = nil
        stop = nil
        isReady = false
        readySince = nil
        hasBeenReady = false
        speaks = false
        hears = true
        stopOnceStarted = nil
        startDeadline = nil
        silentAt = nil
        stuckAt = nil
        stableAt = nil
        restartOnceCleared = false
        readyByAgeAt = nil
        probing = Probing()
        lastHeartbeat = nil
        progress = nil
        backlog = nil
        waitingFor = nil
        stats = [:]
        services = [:]
    }
}
