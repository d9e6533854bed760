/// The part of ``PipelineSchema`` about `workers`.
enum WorkerSchema {
    /// Built-in roles by name, and commands under names of the user's choice.
    static var workers: JSONSchema {
        let roles = PipelineDecoder.roles.map { role in
            (
                role,
                JSONSchema.described("Settings of the built-in role \(role).").with(
                    ("anyOf", [.reference("worker"), ["type": "null"]])
                )
            )
        }
        return .described("Settings of built-in roles, and commands of your own.").with(
            ("type", "object"),
            ("properties", .object(roles)),
            ("additionalProperties", ["allOf": [.reference("worker"), ["required": ["command"]]]])
        )
    }

    static var worker: JSONSchema {
        .map(nil, program + policy + supervision)
    }

    private static var program: [(String, JSONSchema)] {
        [
            ("command", words("A program and its arguments; supervised like the built-in roles.")),
            ("consumes", PipelineSchema.choice("Feed it messages that no rule took.", Worker.Consumes.self, nil)),
            (
                "env",
                .described("Variables added to its environment.").with(
                    ("type", "object"),
                    ("additionalProperties", ["type": ["string", "number", "boolean", "null"]])
                )
            ),
            ("cwd", .string("Where it runs, relative to this file.")),
            ("replicas", PipelineSchema.integer("Processes of it.", 1...64, 1)),
        ]
    }

    private static var policy: [(String, JSONSchema)] {
        [
            ("restart", PipelineSchema.choice("When it is started again after it ended.", Worker.Restart.self, nil)),
            ("success_exit", exitCodes("Exit codes that are no failure.")),
            ("no_restart_exit", exitCodes("Exit codes after which it is not started again.")),
            (
                "backoff",
                .map(
                    "The wait before a restart.",
                    [
                        ("initial", PipelineSchema.duration("The first wait.", "500ms")),
                        ("factor", number("What each further wait is multiplied by.", 1, 100)),
                        ("max", PipelineSchema.duration("The longest wait.", "30s")),
                        ("jitter", number("The random part of a wait, 0.2 is ±20 %.", 0, 1)),
                        ("reset_after", PipelineSchema.duration("Ready for this long, it starts afresh.", "60s")),
                    ]
                )
            ),
            ("breaker", breaker),
            ("start_timeout", PipelineSchema.duration("Until it must be ready.")),
            ("drain_timeout", PipelineSchema.duration("For finishing what it has in hand.")),
            ("stop_timeout", PipelineSchema.duration("Between SIGTERM and SIGKILL.")),
            ("critical", PipelineSchema.boolean("When it fails for good, the whole tree stops.", false)),
            (
                "depends_on",
                .described("Workers it starts after and stops before.").with(
                    ("type", "object"),
                    (
                        "additionalProperties",
                        PipelineSchema.choice("What to wait for.", Worker.Condition.self, nil)
                    )
                )
            ),
            ("propagate", PipelineSchema.boolean("Restart its dependants with it.", false)),
        ]
    }

    private static var breaker: JSONSchema {
        let settings: JSONSchema = .map(
            nil,
            [
                ("failures", PipelineSchema.integer("Failures that open it.", 1...1000, 5)),
                ("window", PipelineSchema.duration("The time in which they count.", "60s")),
                ("open", PipelineSchema.duration("How long it stays open at first.", "30s")),
                ("max_open", PipelineSchema.duration("How long at most.", "10m")),
                ("stable", PipelineSchema.duration("Ready for this long closes it.", "30s")),
            ]
        )
        return .described("Stops restarting what keeps failing; off: never.").with(
            ("anyOf", [settings, ["enum": ["off", .boolean(false)]]])
        )
    }

    private static var supervision: [(String, JSONSchema)] {
        [
            (
                "heartbeat",
                .map(
                    "How a worker shows that it is alive.",
                    [
                        ("every", PipelineSchema.duration("Between two beats.", "5s")),
                        ("missed", PipelineSchema.integer("Missed beats after which it is ended.", 1...1000, 6)),
                    ]
                )
            ),
            (
                "probe",
                .map(
                    "How a command that says nothing itself is found ready: exec or tcp.",
                    [
                        ("exec", words("A command whose exit 0 means healthy.")),
                        ("tcp", .string("host:port that accepts a connection.")),
                        ("every", PipelineSchema.duration("Between two probes.")),
                        ("timeout", PipelineSchema.duration("Until a probe counts as failed.")),
                        ("failures", PipelineSchema.integer("Failed probes in a row that count.", 1...1000)),
                        ("successes", PipelineSchema.integer("Good probes in a row that count.", 1...1000)),
                    ]
                )
            ),
            (
                "limits",
                .map(
                    "Limits of its process.",
                    [
                        ("nofile", PipelineSchema.integer("Open files.", 16...1_048_576)),
                        (
                            "memory",
                            .described("Address space: bytes, or such as 512MiB.").with(
                                ("type", ["string", "integer"]),
                                ("pattern", .text(#"^[0-9]+([KMG]i)?B?$|\$\{"#))
                            )
                        ),
                        ("oom_score_adj", PipelineSchema.integer("Who is ended first.", -1000...1000)),
                    ]
                )
            ),
        ]
    }

    private static func words(_ about: String) -> JSONSchema {
        .list(about, of: ["type": ["string", "number", "boolean"]], atLeast: 1)
    }

    private static func exitCodes(_ about: String) -> JSONSchema {
        .list(about, of: PipelineSchema.integer("An exit code.", 0...255))
    }

    private static func number(_ about: String, _ minimum: Int, _ maximum: Int) -> JSONSchema {
        PipelineSchema.orReference(
            about,
            ["type": "number", "minimum": .number(minimum), "maximum": .number(maximum)]
        )
    }
}
