package import Model
internal import Processes

/// One child of the tree, complete: what runs, when it may start, and what is done when it ends.
///
/// Replicas of a child are alike; each is a process of its own, numbered from 1.
package struct ChildSpecification: Sendable, Equatable, Codable {
    package enum Kind: String, Sendable, Codable, CaseIterable {
        /// Speaks `chaffinch-child/1`: ready when it says so.
        case worker
        /// Ends; ending with success counts as ready.
        case job
        /// Any executable. Ready by its probe, by saying so, or else once it has lived for a second.
        case command
    }

    package enum Restart: String, Sendable, Codable, CaseIterable {
        /// Always restarted.
        case permanent
        /// Restarted unless it ended with success.
        case transient
        /// Never restarted.
        case temporary
    }

    /// What a dependant waits for.
    package enum Condition: String, Sendable, Codable, CaseIterable { case started, ready }

    package struct Probe: Sendable, Equatable, Codable {
        package enum Check: Sendable, Equatable, Codable {
            /// Connects. The host is an address or `localhost`: the supervisor never waits for a name server.
            case tcp(host: String, port: Int)
            /// Runs a command with the child's environment and folder; exit 0 is healthy.
            case exec([String])
        }

        package var check: Check
        package var every: Duration
        package var timeout: Duration
        /// So many failures in a row make a ready child unready. That never ends it.
        package var failures: Int
        /// So many successes in a row make it ready.
        package var successes: Int

        package init(
            _ check: Check,
            every: Duration = .seconds(5),
            timeout: Duration = .seconds(2),
            failures: Int = 3,
            successes: Int = 1
        ) {
            self.check = check
            self.every = every
            self.timeout = timeout
            self.failures = failures
            self.successes = successes
        }

        package static func tcp(_ host: String, _ port: Int) -> Probe { Probe(.tcp(host: host, port: port)) }
        package static func exec(_ command: [String]) -> Probe { Probe(.exec(command)) }
    }

    /// When a child that speaks `chaffinch-child/1` and is ready counts as alive.
    package struct Heartbeat: Sendable, Equatable, Codable {
        package var every: Duration
        /// So many beats missing in a row, and it is ended by force and restarted.
        package var missed: Int
        /// A child that tells its backlog must finish something of it within so long.
        package var longestWork: Duration

        package init(every: Duration = .seconds(5), missed: Int = 6, longestWork: Duration = .seconds(120)) {
            self.every = every
            self.missed = missed
            self.longestWork = longestWork
        }

        /// The longest silence of a living child.
        package var longestSilence: Duration { every * missed }
    }

    /// The accepted configuration that a child works by, as far as the supervisor knows of it.
    package struct Application: Sendable, Equatable, Codable {
        /// Told to the process in ``environmentVariable`` when it starts, and by `reload` while it runs.
        package var generation: Int
        /// Of what a job does: one that changes makes it run again.
        package var fingerprint: String

        package static let environmentVariable = "CHAFFINCH_GENERATION"

        package init(generation: Int, fingerprint: String = "") {
            self.generation = generation
            self.fingerprint = fingerprint
        }
    }

    package var name: String
    package var replicas: Int
    /// The program and its arguments. A program without a slash is looked up along the `PATH` in `environment`.
    package var command: [String]
    /// Complete: nothing is inherited. `CHAFFINCH_CONTROL_FD` is added to it.
    package var environment: [String: String]
    package var workingDirectory: String?
    package var kind: Kind
    package var restart: Restart
    package var successExit: Set<Int32>
    /// Exit codes after which a restart would change nothing, such as 78, a wrong configuration.
    package var noRestartExit: Set<Int32>
    package var backoff: Backoff
    /// So long ready, and earlier failures are forgotten.
    package var backoffResetAfter: Duration
    /// One for each replica; `nil` restarts for ever.
    package var breaker: Breaker.Settings?
    /// Asked of children that speak the control protocol, jobs excepted.
    package var heartbeat: Heartbeat
    /// A child that is not ready after so long has failed to start. For a job: not ended.
    package var startTimeout: Duration
    /// How long a child may finish its work before it is told to end; by default three quarters of the stop time-out.
    package var drainTimeout: Duration?
    /// How long a stop may take before the child is killed; the tree's own budget may be shorter.
    package var stopTimeout: Duration
    /// Orders start and stop.
    package var dependsOn: [String: Condition]
    /// Whether dependants are restarted with it.
    package var propagate: Bool
    /// Whether the tree stops when this child has failed for good or its breaker opens.
    package var critical: Bool
    package var probe: Probe?
    /// Sent by the kernel should the supervisor die; 0 for none.
    package var parentDeathSignal: Int32
    package var nofile: Int?
    /// Bytes of private writable memory.
    package var memory: Int?
    package var oomScoreAdj: Int?
    /// The configuration it loads by itself; `nil` for a child that has none.
    package var application: Application?

    /// - Parameters:
    ///   - restart: by default `transient` for jobs and `permanent` for all others.
    ///   - parentDeathSignal: by default SIGKILL for commands and SIGTERM for workers and jobs, which then drain.
    package init(
        name: String,
        replicas: Int = 1,
        command: [String],
        environment: [String: String] = [:],
        workingDirectory: String? = nil,
        kind: Kind = .command,
        restart: Restart? = nil,
        successExit: Set<Int32> = [0],
        noRestartExit: Set<Int32> = [78],
        backoff: Backoff = Backoff(),
        backoffResetAfter: Duration = .seconds(60),
        breaker: Breaker.Settings? = Breaker.Settings(),
        heartbeat: Heartbeat = Heartbeat(),
        startTimeout: Duration = .seconds(60),
        drainTimeout: Duration? = nil,
        stopTimeout: Duration = .seconds(8),
        dependsOn: [String: Condition] = [:],
        propagate: Bool = false,
        critical: Bool = false,
        probe: Probe? = nil,
        parentDeathSignal: Int32? = nil,
        nofile: Int? = nil,
        memory: Int? = nil,
        oomScoreAdj: Int? = nil,
        application: Application? = nil
    ) {
        self.name = name
        self.replicas = replicas
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.kind = kind
        self.restart = restart ?? (kind == .job ? .transient : .permanent)
        self.successExit = successExit
        self.noRestartExit = noRestartExit
        self.backoff = backoff
        self.backoffResetAfter = backoffResetAfter
        self.breaker = breaker
        self.heartbeat = heartbeat
        self.startTimeout = startTimeout
        self.drainTimeout = drainTimeout
        self.stopTimeout = stopTimeout
        self.dependsOn = dependsOn
        self.propagate = propagate
        self.critical = critical
        self.probe = probe
        self.parentDeathSignal = parentDeathSignal ?? (kind == .command ? Signals.kill : Signals.terminate)
        self.nofile = nofile
        self.memory = memory
        self.oomScoreAdj = oomScoreAdj
        self.application = application
    }
}
