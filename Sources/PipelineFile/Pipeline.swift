package import Model

/// What `pipeline.yaml` says, checked and with every default filled in: the values that the generation's
/// `pipeline.json` holds and every child loads. It holds no secret: those stand here as the name of the environment
/// variable in which the supervisor hands them to the roles that use them.
package struct Pipeline: Sendable, Codable, Equatable {
    package var name: String
    /// The one writable folder, absolute.
    package var dataFolder: String
    package var broker: Broker
    package var store: Store
    package var discord: Discord
    package var channels: [Channel]
    package var records: [RecordType]
    /// The folder of rule files, absolute; `nil` without a `parsers:` section.
    package var parsersFolder: String?
    package var openai: OpenAI
    /// In the order of the file: settings of built-in roles and commands of the user's own.
    package var workers: [Worker]
    package var supervisor: Supervisor
    package var console: Console

    /// Whether the pipeline watches Discord at all; without `channels`, `records` and `parsers` Chaffinch is a plain
    /// supervisor of commands.
    package var hasPipeline: Bool { !channels.isEmpty || !records.isEmpty || parsersFolder != nil }

    package func recordType(named name: String) -> RecordType? { records.first { $0.name == name } }

    package struct Broker: Sendable, Codable, Equatable {
        /// True when the supervisor runs a private RabbitMQ itself.
        package var isManaged: Bool
        /// `amqp://…`; for a managed broker the supervisor fills it in.
        package var url: SecretReference
        package var prefix: String
    }

    package struct Store: Sendable, Codable, Equatable {
        package enum Messages: String, Sendable, Codable, CaseIterable { case all, parsed }
        /// `postgres://…` or `sqlite:PATH` (the path absolute once resolved).
        package var url: SecretReference
        /// For setup only; absent: `url` serves.
        package var setupURL: SecretReference?
        package var messages: Messages
        /// Days; 0 keeps everything.
        package var retentionDays: Int
    }

    package struct Discord: Sendable, Codable, Equatable {
        package var token: SecretReference?
        /// Without a trailing slash.
        package var api: String
        package var live: Bool
        package var poll: Duration
    }

    package struct Channel: Sendable, Codable, Equatable {
        package enum OnDelete: String, Sendable, Codable, CaseIterable { case keep, mark, erase }
        package var name: String
        package var id: Snowflake
        /// How far back to read once; absent: from now on.
        package var since: Timestamp?
        package var threads: Bool
        package var onDelete: OnDelete
    }

    package struct OpenAI: Sendable, Codable, Equatable {
        package enum OnBudget: String, Sendable, Codable, CaseIterable { case park, skip }
        /// Absent or resolved to nothing: the last resort is off.
        package var apiKey: SecretReference?
        package var baseURL: String
        package var model: String
        package var concurrency: Int
        package var dailyTokens: Int
        package var onBudget: OnBudget
    }

    package struct Supervisor: Sendable, Codable, Equatable {
        package enum LogLevel: String, Sendable, Codable, CaseIterable { case debug, info, warning, error }
        package enum LogFormat: String, Sendable, Codable, CaseIterable { case auto, json, text }
        package var stopTimeout: Duration
        package var logLevel: LogLevel
        package var logFormat: LogFormat
    }

    package struct Console: Sendable, Codable, Equatable {
        package var listenHost: String
        package var listenPort: Int
        package var token: SecretReference?
    }
}

/// A secret as a generation holds it: not the value, but where a child finds it.
package struct SecretReference: Sendable, Codable, Equatable {
    /// The environment variable in which a child of the tree receives the value, such as `CHAFFINCH_DISCORD_TOKEN`.
    package var variable: String
    /// How the value is found anew, as far as it can be without the YAML: a template such as `${DISCORD_TOKEN}`, or a
    /// file. A value written into the YAML itself is not kept.
    package var source: Source

    package enum Source: Sendable, Codable, Equatable {
        /// Text with `${VAR}` and `${VAR:-default}`, no literal credentials.
        case template(String)
        /// The path of a file, absolute; its content without the trailing newline is the value.
        case file(String)
        /// Written into the YAML: known only to whoever read that.
        case literal
    }

    package init(variable: String, source: Source) {
        self.variable = variable
        self.source = source
    }
}

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
    package var startTimeout: Duration?
    package var drainTimeout: Duration?
    package var stopTimeout: Duration?
    package var heartbeat: Heartbeat?
    package var critical: Bool?
    package var dependsOn: [String: Condition]?
    package var propagate: Bool?
    package var probe: Probe?
    /// A program and its arguments: any executable, supervised like the built-in roles.
    package var command: [String]?
    package var consumes: Consumes?
    package var env: [String: String]?
    package var cwd: String?
    package var limits: Limits?

    package init(name: String) {
        self.name = name
    }

    package struct BackoffSettings: Sendable, Codable, Equatable {
        package var initial: Duration?
        package var factor: Double?
        package var max: Duration?
        package var jitter: Double?
        package var resetAfter: Duration?

        package init() {}
    }

    package struct BreakerSettings: Sendable, Codable, Equatable {
        /// `breaker: off`.
        package var isOff = false
        package var failures: Int?
        package var window: Duration?
        package var open: Duration?
        package var maxOpen: Duration?
        package var stable: Duration?

        package init() {}
    }

    package struct Heartbeat: Sendable, Codable, Equatable {
        package var every: Duration?
        package var missed: Int?

        package init() {}
    }

    package struct Probe: Sendable, Codable, Equatable {
        /// Runs a command: exit 0 is healthy.
        package var exec: [String]?
        /// Connects to `host:port`.
        package var tcp: String?
        package var every: Duration?
        package var timeout: Duration?
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
