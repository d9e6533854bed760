/// An entry of `workers:`. Every key is optional; an absent one means the default of the role or of the supervisor.
/// The keys are those of SUPERVISION.md, "§C keys of a worker".
package struct Worker: Sendable, Codable, Equatable {
    package enum Restart: String, Sendable, Codable, CaseIterable { case permanent, transient, temporary }
    package enum Condition: String, Sendable, Codable, CaseIterable { case started, ready }
    package enum Consumes: String, Sendable, Codable, CaseIterable { case unmatched }

    package var name: String
    package var replicas: Int?
    package var restart: Restart?
    package var successExit: [Int]?
    package var noRestartExit: [Int]?
    package var backoff: BackoffSettings?
    package var breaker: BreakerSettings?
    @WrittenIfPresent package var startTimeout: Duration?
    @WrittenIfPresent package var drainTimeout: Duration?
    @WrittenIfPresent package var stopTimeout: Duration?
    package var heartbeat: Heartbeat?
    package var critical: Bool?
    package var dependsOn: [String: Condition]?
    package var propagate: Bool?
    package var probe: Probe?
    /// A program and its arguments: any executable, supervised like the built-in roles.
    package var command: [String]?
    package var consumes: Consumes?
    /// Values as written, with their `${VAR}` in place, since they may be secrets: ``Template/expanded(with:)`` gives
    /// what the process gets.
    package var env: [String: Template]?
    package var cwd: String?
    package var limits: Limits?

    package init(name: String) {
        self.name = name
    }

    package struct BackoffSettings: Sendable, Codable, Equatable {
        @WrittenIfPresent package var initial: Duration?
        package var factor: Double?
        @WrittenIfPresent package var max: Duration?
        package var jitter: Double?
        @WrittenIfPresent package var resetAfter: Duration?

        package init() {}
    }

    package struct BreakerSettings: Sendable, Codable, Equatable {
        /// `breaker: off`.
        package var isOff = false
        package var failures: Int?
        @WrittenIfPresent package var window: Duration?
        @WrittenIfPresent package var open: Duration?
        @WrittenIfPresent package var maxOpen: Duration?
        @WrittenIfPresent package var stable: Duration?

        package init() {}
    }

    package struct Heartbeat: Sendable, Codable, Equatable {
        @WrittenIfPresent package var every: Duration?
        package var missed: Int?

        package init() {}
    }

    package struct Probe: Sendable, Codable, Equatable {
        /// Runs a command: exit 0 is healthy.
        package var exec: [String]?
        /// Connects to `host:port`.
        package var tcp: String?
        @WrittenIfPresent package var every: Duration?
        @WrittenIfPresent package var timeout: Duration?
        package var failures: Int?
        package var successes: Int?

        package init() {}
    }

    package struct Limits: Sendable, Codable, Equatable {
        package var nofile: Int?
        /// Bytes.
        package var memory: Int?
        package var oomScoreAdj: Int?

        package init() {}
    }
}
