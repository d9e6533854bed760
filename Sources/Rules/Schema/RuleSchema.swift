internal import Model
internal import PipelineFile

/// The JSON Schema of rule files, by which editors complete and check them. What it allows is what
/// ``RuleFileReader`` takes, as far as a schema can say it; a test holds the two together.
package enum RuleSchema {
    /// The schema as a file, draft 2020-12.
    package static func json() -> String { root.json }

    static var root: JSONSchema {
        let heading: JSONSchema = [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Chaffinch rule file",
        ]
        let shape = JSONSchema.map(nil, head + bodies, required: ["parser", "record"])
        guard case .object(let first) = heading, case .object(let rest) = shape else { return heading }
        return .object(first + rest + [("allOf", .array(RuleEngine.allCases.map(conditions))), ("$defs", definitions)])
    }

    // MARK: What every file has

    private static var head: [(String, JSONSchema)] {
        [
            (
                "parser",
                .described("The rule's id, stored on every record; no two alike.").with(
                    ("type", ["string", "number"]),
                    ("pattern", "^[A-Za-z0-9_.-]{1,64}$")
                )
            ),
            ("record", .string("The record type of pipeline.yaml that it makes.")),
            ("engine", choice("How the text is read.", RuleEngine.self, "regex")),
            ("status", choice("shadow: it runs and is counted, and writes nothing.", RuleStatus.self, "live")),
            (
                "priority",
                .described("Lower is tried first; the first rule with a record wins.").with(
                    ("type", "integer"),
                    ("default", .number(RuleHead.defaultPriority))
                )
            ),
            ("channels", .reference("texts", "Names or ids of channels, * and ? as in file names; default: all.")),
            ("input", choice("Which text of a message it reads.", RuleInput.self, "text")),
            (
                "normalize",
                .described("What is done to the text first; by default all, [] for nothing.").with(
                    (
                        "anyOf",
                        [
                            normalization,
                            ["type": "array", "items": normalization],
                        ]
                    )
                )
            ),
            ("gate", .reference("texts", "Literals of which one must occur, in any case, before anything is tried.")),
            ("check", .reference("texts", "Expressions that must hold, beside those of the record type.")),
            (
                "examples",
                .list(
                    "Texts with what must come of them; a file that fails one never goes live.",
                    of: .reference("example")
                )
            ),
        ]
    }

    private static var normalization: JSONSchema {
        ["enum": .array(Normalization.names.map { .text($0.name) })]
    }

    /// The keys of single engines; ``conditions(_:)`` says which has which.
    private static var bodies: [(String, JSONSchema)] {
        [
            ("decimal", .reference("decimal", "What stands between whole part and fraction.")),
            (
                "define",
                .described("Named pieces of patterns, put in as %{name}.").with(
                    ("type", "object"),
                    ("propertyNames", ["pattern": "^[A-Za-z0-9_]+$"]),
                    ("additionalProperties", .reference("scalar"))
                )
            ),
            ("split", .reference("pattern", "What stands between the records of one message.")),
            ("cover", .reference("pattern", "Every hit must lie inside what a field or list has read.")),
            ("template", .reference("texts", "A line as people write it, with {field} for each value; or several.")),
            ("records", .reference("pattern", "The path to the records in the JSON.")),
            ("instructions", .string("What the model is told.")),
            (
                "fields",
                .described("Fields of the record type, each with one entry or several to try in turn.").with(
                    ("type", "object")
                )
            ),
            (
                "lists",
                .described("Lists of the record type; every match of every entry is an element.").with(
                    ("type", "object")
                )
            ),
        ]
    }

    private static func conditions(_ engine: RuleEngine) -> JSONSchema {
        let isEngine: JSONSchema = ["properties": ["engine": ["const": .text(engine.rawValue)]]]
        // Without `engine:` it is regex; the other engines must be named for their part to apply.
        let condition = engine == .regex ? isEngine : isEngine.with(("required", ["engine"]))
        var allowed: [(String, JSONSchema)] = []
        let foreign =
            bodies.map(\.0).filter { !keys(of: engine).contains($0) } + (engine == .json ? ["normalize"] : [])
            + (engine == .embed ? ["input"] : [])
        if engine != .openai {
            allowed.append(("fields", ["additionalProperties": .reference("\(engine.rawValue)_field")]))
            allowed.append(("lists", ["additionalProperties": oneOrMany(.reference("\(engine.rawValue)_entry"))]))
        }
        allowed += foreign.map { ($0, .boolean(false)) }
        var then: [(String, JSONSchema)] = [("properties", .object(allowed))]
        switch engine {
        case .template: then.append(("required", ["template"]))
        case .openai: break
        default: then.append(("required", ["fields"]))
        }
        return .object([("if", condition), ("then", .object(then))])
    }

    private static func keys(of engine: RuleEngine) -> [String] {
        let common = ["decimal", "define", "fields", "lists"]
        let ofText = engine.readsText ? ["split", "cover"] : []
        return switch engine {
        case .openai: ["decimal", "fields", "lists", "instructions"]
        case .template: common + ofText + ["template"]
        case .json: common + ["records"]
        case .regex, .pairs, .embed: common + ofText
        }
    }

    // MARK: Shapes

    static func choice<Choice: RawRepresentable & CaseIterable>(
        _ about: String,
        _: Choice.Type,
        _ value: String?
    ) -> JSONSchema where Choice.RawValue == String {
        let schema = JSONSchema.described(about).with(("enum", .array(Choice.allCases.map { .text($0.rawValue) })))
        return value.map { schema.with(("default", .text($0))) } ?? schema
    }

    static func oneOrMany(_ schema: JSONSchema) -> JSONSchema {
        [
            "anyOf": [
                ["type": "array", "minItems": .number(1), "items": schema],
                .object([("allOf", [["type": "object"], schema])]),
            ]
        ]
    }
}
