package import Model

/// What `pipeline.yaml` says, checked and with every default filled in: the values that the generation's
/// `pipeline.json` holds and every child loads. It holds no secret: those stand here as the name of the environment
/// variable in which the supervisor hands them to the roles that use them.
package struct Pipeline: Sendable, Codable, Equatable {
    package var name: String
    /// The folder of `pipeline.yaml`, absolute: relative paths in it resolve against this.
    package var folder: String
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

    /// How diagnostics show ``parsersFolder``: relative to the folder of `pipeline.yaml` where it lies inside.
    package var parsersShownAs: String? { parsersFolder.map { FilePath.shown($0, from: folder) } }

    /// The commands that consume, in the order in which they are asked.
    package var plugins: [Worker] { workers.filter { $0.command != nil && $0.consumes != nil } }

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
        /// For fetch only, which moves cursors and writes nothing else; absent: `url` serves.
        package var fetchURL: SecretReference?
        package var messages: Messages
        /// Days; 0 keeps everything.
        package var retentionDays: Int
    }

    package struct Discord: Sendable, Codable, Equatable {
        package var token: SecretReference?
        /// Without a trailing slash.
        package var api: String
        package var live: Bool
        @Written package var poll: Duration
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
        /// The most that the requests about one message may cost together.
        package var messageTokens: Int
        /// The daily budget of each channel; `nil` for none of its own.
        package var channelTokens: Int?
        package var onBudget: OnBudget
    }

    package struct Supervisor: Sendable, Codable, Equatable {
        package enum LogLevel: String, Sendable, Codable, CaseIterable { case debug, info, warning, error }
        package enum LogFormat: String, Sendable, Codable, CaseIterable { case auto, json, text }
        @Written package var stopTimeout: Duration
        package var logLevel: LogLevel
        package var logFormat: LogFormat
    }

    package struct Console: Sendable, Codable, Equatable {
        package var listenHost: String
        package var listenPort: Int
        package var token: SecretReference?
    }
}
