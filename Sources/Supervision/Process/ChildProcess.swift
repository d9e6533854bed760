internal import Glibc
internal import Model
internal import Processes

/// A living process group of the tree: its leader, or what the leader left behind.
struct ChildProcess {
    let id: ReplicaID
    let process: SpawnedProcess
    var control: ControlChannel
    /// The leader is gone; members of its group may not be.
    var leaderReaped = false

    var pid: Int32 { process.pid }

    /// Whether any process of the group is left, zombies included.
    var groupRemains: Bool { kill(-pid, 0) == 0 || errno == EPERM }

    /// Who is stopped, by SIGSTOP for one, is made to go on: before that it hears of SIGKILL alone.
    ///
    /// The number of a group stays taken as long as a member lives, so this reaches no stranger.
    func signalGroup(_ signal: Int32) {
        if !leaderReaped || groupRemains {
            kill(-pid, signal)
            if signal != SIGKILL { kill(-pid, SIGCONT) }
        }
        // A leader may have moved to another group, its parent's for one.
        if !leaderReaped && getpgid(pid) != pid { signalLeader(signal) }
    }

    /// Only the process itself, and never a later one of the same number.
    func signalLeader(_ signal: Int32) {
        guard !leaderReaped else { return }
        for signal in signal == SIGKILL ? [signal] : [signal, SIGCONT] where !process.signalLeader(signal) {
            kill(pid, signal)
        }
    }

    /// Starts a replica with its pipes and its control socket.
    static func start(
        _ id: ReplicaID,
        _ child: ChildSpecification,
        logs: LogReader
    ) throws(SpawnFailure) -> ChildProcess {
        do {
            let (control, childEnd) = try ControlChannel.pair()
            let output = try Descriptor.pipe()
            let error = try Descriptor.pipe()
            var environment = child.environment
            environment[ControlProtocol.environmentVariable] = "\(ControlProtocol.descriptor)"
            if let application = child.application {
                environment[ChildSpecification.Application.environmentVariable] = "\(application.generation)"
            }
            let process = try Spawner.spawn(
                SpawnRequest(
                    command: child.command,
                    environment: environment,
                    workingDirectory: child.workingDirectory,
                    output: output.write,
                    error: error.write,
                    control: childEnd,
                    parentDeathSignal: child.parentDeathSignal,
                    nofile: child.nofile,
                    memory: child.memory,
                    oomScoreAdj: child.oomScoreAdj
                )
            )
            logs.attach(id, pid: process.pid, output: output.read, error: error.read)
            return ChildProcess(id: id, process: process, control: control)
        } catch let failure as SpawnFailure {
            throw failure
        } catch {
            throw SpawnFailure(code: 126, reason: "\(error)")
        }
    }
}

/// Processes that re-parented to the supervisor, because it is PID 1 or a subreaper.
enum AdoptedProcesses {
    private static let timeToKill = Duration.milliseconds(300)

    /// Ends and reaps every child that is left, and whatever those leave behind in turn.
    ///
    /// - Parameter limit: how long they may take before they are killed; with none they are killed at once.
    /// - Returns: whether any had to be.
    static func endAll(within limit: Duration, signals: Descriptor) -> Bool {
        if wait(.zero, sending: nil, signals) { return false }
        if limit > .zero, wait(limit, sending: SIGTERM, signals) { return false }
        _ = wait(timeToKill, sending: SIGKILL, signals)
        return true
    }

    /// False when some are left after so long.
    private static func wait(_ limit: Duration, sending signal: Int32?, _ signals: Descriptor) -> Bool {
        let deadline = Clock.monotonic + limit
        var told: Set<Int32> = []
        while true {
            var reaped = Reaper.reap()
            while case .ended = reaped { reaped = Reaper.reap() }
            if case .noChildren = reaped { return true }
            let someAreNew = signal.map { tell($0, &told) } ?? false
            let left = deadline - Clock.monotonic
            guard left > .zero else { return false }
            // Waits for SIGCHLD, but not for long: a grandchild becomes a child without one.
            var polled = pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0)
            let wait = min(left, .milliseconds(someAreNew ? 1 : 20))
            poll(&polled, 1, Int32(clamping: wait.millisecondsRoundedUp))
            while Signals.next(from: signals) != 0 {}
        }
    }

    /// Tells those who were not told yet.
    ///
    /// - Returns: whether there were any: who forks all the time must not outrun it.
    private static func tell(_ signal: Int32, _ told: inout Set<Int32>) -> Bool {
        // As PID 1 everything in the namespace is ours to end, however deep.
        if getpid() == 1 && (told.isEmpty || signal == SIGKILL) { send(signal, to: -1) }
        let new = children().filter { told.insert($0).inserted }
        for pid in new { send(signal, to: pid) }
        return !new.isEmpty
    }

    private static func send(_ signal: Int32, to pid: Int32) {
        kill(pid, signal)
        if signal != SIGKILL { kill(pid, SIGCONT) }
    }

    /// The kernel's own list where it keeps one (proc(5), `children`), or else a look at every process there is.
    private static func children() -> [Int32] {
        let lists = numbers(in: "/proc/self/task").map { ProcFile.read("/proc/self/task/\($0)/children") ?? "" }
        let listed = lists.flatMap { $0.split(separator: " ") }.compactMap { Int32($0) }
        guard listed.isEmpty else { return listed }
        return numbers(in: "/proc").filter { ProcessUsage.parent(of: $0) == getpid() }
    }

    private static func numbers(in folder: String) -> [Int32] {
        guard let entries = opendir(folder) else { return [] }
        defer { closedir(entries) }
        var found: [Int32] = []
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let number = Int32(name) { found.append(number) }
        }
        return found
    }
}
