import Model

/// The JSON Schema of `pipeline.yaml`, by which editors complete and check it. Its keys are those that
/// ``PipelineReader`` takes; a test holds the two together.
package enum PipelineSchema {
    /// The schema as a file, draft 2020-12.
    package static func json() -> String { root.json }

    static var root: JSONSchema {
        let heading: JSONSchema = [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Chaffinch pipeline.yaml",
        ]
        guard case .object(let first) = heading, case .object(let rest) = JSONSchema.map(nil, topLevel) else {
            return heading
        }
        return .object(first + rest + [("$defs", definitions)])
    }

    private static var topLevel: [(String, JSONSchema)] {
        [
            ("name", .reference("name", "The pipeline's name: on every queue message and in the database.")),
            ("data", .string("The one writable folder: managed broker, SQLite, control socket.", default: "data/")),
            ("broker", broker), ("store", store), ("discord", discord),
            ("channels", .list("The channels to watch.", of: channel)),
            ("records", .named("Record types, one table each.", names: identifier, values: record)),
            ("parsers", .string("The folder of rule files.")),
            ("openai", openai), ("workers", WorkerSchema.workers), ("supervisor", supervisor), ("console", console),
        ]
    }

    // MARK: Sections

    private static var broker: JSONSchema {
        .map(
            "RabbitMQ, which joins the workers.",
            secret("url", "managed (a private RabbitMQ) or amqp://user:password@host/vhost.") + [
                ("prefix", .reference("name", "What queue names begin with; default chaffinch."))
            ]
        )
    }

    private static var store: JSONSchema {
        .map(
            "The database.",
            secret("url", "postgres://… or sqlite:PATH; default: SQLite in the data folder.")
                + secret("setup_url", "As url, for setup only: the owner of the tables.")
                + secret("fetch_url", "As url, for fetch only, which moves cursors and writes nothing else.") + [
                    ("messages", choice("Which messages are kept.", Pipeline.Store.Messages.self, "all")),
                    ("retention", integer("Days that messages are kept; 0 keeps everything.", 0...36_500, 0)),
                ]
        )
    }

    private static var discord: JSONSchema {
        .map(
            "How Discord is read.",
            secret("token", "The bot's token.") + [
                ("api", .string("The API's address; override to test.", default: "https://discord.com/api/v10")),
                ("live", boolean("Use the gateway; false: poll only.", true)),
                ("poll", duration("How often each channel is polled; 1s to 1h.", "10s")),
            ]
        )
    }

    private static var channel: JSONSchema {
        .map(
            nil,
            [
                ("name", .string("Your name for it; rules refer to it.")),
                ("id", .described("The channel's id in Discord, in quotes.").with(("type", ["string", "integer"]))),
                ("since", .string("How far back to read once: a date or time, UTC without a zone; default: from now.")),
                ("threads", boolean("Read its threads too.", false)),
                ("on_delete", choice("What a deletion in Discord does.", Pipeline.Channel.OnDelete.self, "keep")),
            ],
            required: ["name", "id"]
        )
    }

    private static var record: JSONSchema {
        .map(
            nil,
            [
                ("fields", .reference("fields", "Its columns.")),
                (
                    "lists",
                    .named(
                        "Lists of maps, one table each: RECORD_LIST.",
                        names: identifier,
                        values: .reference("fields")
                    )
                ),
                ("check", .list("Expressions that every record must satisfy.", of: ["type": "string"])),
            ],
            required: ["fields"]
        )
    }

    private static var openai: JSONSchema {
        .map(
            "The last resort for messages that no rule reads.",
            secret("api_key", "Empty: the last resort is off.") + [
                ("base_url", .string("Any compatible server.", default: "https://api.openai.com/v1")),
                ("model", .string("The model's name.", default: "gpt-4.1-mini")),
                ("concurrency", integer("Requests at a time.", 1...256, 8)),
                ("daily_tokens", integer("Budget of a UTC day.", 0...1_000_000_000_000, 2_000_000)),
                (
                    "message_tokens",
                    integer("The most that the requests about one message may cost.", 1_000...1_000_000, 16_000)
                ),
                ("channel_tokens", integer("Budget of each channel a day; default: none.", 0...1_000_000_000_000)),
                ("on_budget", choice("What happens when it is spent.", Pipeline.OpenAI.OnBudget.self, "park")),
            ]
        )
    }

    private static var supervisor: JSONSchema {
        .map(
            "The supervisor itself.",
            [
                ("stop_timeout", duration("Budget of a whole stop; 100ms to 1h.", "8s")),
                ("log_level", choice("The least that is logged.", Pipeline.Supervisor.LogLevel.self, "info")),
                ("log_format", choice("auto: text on a terminal.", Pipeline.Supervisor.LogFormat.self, "auto")),
            ]
        )
    }

    private static var console: JSONSchema {
        .map(
            "Web page, health and metrics.",
            [("listen", .string("host:port; beyond loopback a token is needed.", default: "127.0.0.1:8080"))]
                + secret("token", "What actions must present.")
        )
    }

    // MARK: Shapes

    static let identifier = "^[a-z][a-z0-9_]{0,62}$"

    private static var definitions: JSONSchema {
        [
            "reference": .described("A value from the environment: ${VAR} or ${VAR:-default}.").with(
                ("type", "string"),
                ("pattern", .text(#"\$\{"#))
            ),
            "name": ["type": "string", "anyOf": [["pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"], .reference("reference")]],
            "duration": [
                "type": ["string", "integer"], "pattern": .text(#"^([0-9]+(ms|s|m|h)|0)$|\$\{"#), "maximum": .number(0),
            ],
            "fields": .named("Columns by name.", names: identifier, values: .reference("field")).with(
                ("minProperties", .number(1))
            ),
            "field": .map(
                nil,
                [
                    ("type", choice("What it holds.", FieldType.Kind.self, nil)),
                    ("required", boolean("A record without it is none.", false)),
                    (
                        "values",
                        .list(
                            "The values of an enum; case does not count.",
                            of: ["type": ["string", "number", "boolean"]]
                        )
                    ),
                    ("default", .described("What a record gets when its rule took nothing.")),
                ],
                required: ["type"]
            ),
            "worker": WorkerSchema.worker,
        ]
    }

    /// The key, and the same as the path of a file that holds the value.
    private static func secret(_ key: String, _ about: String) -> [(String, JSONSchema)] {
        [(key, .string(about)), (key + "_file", .string("The path of a file that holds the \(key)."))]
    }

    static func boolean(_ about: String, _ value: Bool?) -> JSONSchema {
        orReference(about, ["type": "boolean"]).defaulting(to: value.map { .boolean($0) })
    }

    static func integer(_ about: String, _ range: ClosedRange<Int>, _ value: Int? = nil) -> JSONSchema {
        let number: JSONSchema = [
            "type": "integer", "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound),
        ]
        return orReference(about, number).defaulting(to: value.map { .number($0) })
    }

    static func duration(_ about: String, _ value: String? = nil) -> JSONSchema {
        .reference("duration", about).defaulting(to: value.map { .text($0) })
    }

    static func choice<Choice: RawRepresentable & CaseIterable>(
        _ about: String,
        _: Choice.Type,
        _ value: String?
    ) -> JSONSchema where Choice.RawValue == String {
        let allowed: JSONSchema = ["enum": .array(Choice.allCases.map { .text($0.rawValue) })]
        return orReference(about, allowed).defaulting(to: value.map { .text($0) })
    }

    static func orReference(_ about: String, _ schema: JSONSchema) -> JSONSchema {
        .described(about).with(("anyOf", [schema, .reference("reference")]))
    }
}
