internal import Model
internal import PipelineFile

/// The entries of `fields:` and `lists:` by engine, and the examples.
extension RuleSchema {
    static var definitions: JSONSchema {
        var all: [(String, JSONSchema)] = [
            ("scalar", ["type": ["string", "number", "boolean"]]),
            ("pattern", ["type": ["string", "number"], "minLength": .number(1)]),
            (
                "texts",
                [
                    "anyOf": [
                        .reference("scalar"), ["type": "array", "minItems": .number(1), "items": .reference("scalar")],
                    ]
                ]
            ),
            ("decimal", choice("What stands between whole part and fraction.", NumberReader.Mark.self, "point")),
            ("example", example),
        ]
        for engine in RuleEngine.allCases where engine != .openai {
            let name = engine.rawValue
            all.append(("\(name)_field", oneOrMany(.reference("\(name)_value"))))
            all.append(("\(name)_value", value(engine)))
            all.append(("\(name)_entry", entry(engine)))
        }
        return .object(all)
    }

    /// How a value is read, whatever it is taken from.
    private static var modifiers: [(String, JSONSchema)] {
        [
            (
                "map",
                .described("What a text stands for, in any case; text it does not name passes unchanged.").with(
                    ("type", "object"),
                    ("additionalProperties", .reference("scalar"))
                )
            ),
            ("decimal", .reference("decimal")),
            ("remove", .reference("scalar", "Characters to leave out.")),
            ("case", choice("Letters made upper or lower.", CaptureEdit.LetterCase.self, nil)),
        ]
    }

    private static func origin(_ engine: RuleEngine) -> [(String, JSONSchema)] {
        switch engine {
        case .pairs: [("key", .reference("texts", "The key of its line; several that mean the same."))]
        case .json:
            [("path", .reference("pattern", "Where it stands: a.b, a[0], [\"odd.key\"], or . for the value itself."))]
        case .embed: [("path", .reference("pattern", "title, description, footer, …, or fields.Name."))]
        case .regex, .template, .openai: []
        }
    }

    /// One entry of a field: a value taken from somewhere, or a constant that stands alone.
    private static func value(_ engine: RuleEngine) -> JSONSchema {
        let match = ("match", JSONSchema.reference("pattern", "PCRE2 with one group, (?<value>…)."))
        let constant = JSONSchema.map(
            nil,
            [("value", .reference("scalar", "A constant; it stands alone, and last."))],
            required: ["value"]
        )
        switch engine {
        case .template:
            return .map(nil, [("value", .reference("scalar", "For where no placeholder gives a value."))] + modifiers)
        case .regex:
            return ["anyOf": [.map(nil, [match] + modifiers, required: ["match"]), constant]]
        case .pairs, .json, .embed, .openai:
            let origin = origin(engine)
            return ["anyOf": [.map(nil, origin + [match] + modifiers, required: origin.map(\.0)), constant]]
        }
    }

    /// One entry of a list.
    private static func entry(_ engine: RuleEngine) -> JSONSchema {
        let match = ("match", JSONSchema.reference("pattern", "PCRE2 with groups named after the list's fields."))
        let field = ("field", JSONSchema.string("The field that takes the whole value."))
        let paths = (
            "fields",
            JSONSchema.described("A path from the element for each field.").with(
                ("type", "object"),
                ("additionalProperties", .reference("pattern"))
            )
        )
        let parts: [(String, JSONSchema)] =
            switch engine {
            case .regex, .openai: [match]
            case .template: [("template", .reference("pattern", "A line with fields of the list as {field}."))]
            case .json: [match, field, paths]
            case .pairs, .embed: [match, field]
            }
        let origin = origin(engine)
        let common: [(String, JSONSchema)] = [
            (
                "set",
                .described("Constants of its elements.").with(
                    ("type", "object"),
                    ("additionalProperties", .reference("scalar"))
                )
            ),
            (
                "map",
                .described("By field, what a text stands for.").with(
                    ("type", "object"),
                    ("additionalProperties", ["type": "object", "additionalProperties": .reference("scalar")])
                )
            ),
            ("decimal", .reference("decimal")),
        ]
        let schema = JSONSchema.map(nil, origin + parts + common, required: origin.map(\.0))
        return schema.with(("oneOf", .array(parts.map { ["required": [.text($0.0)]] })))
    }

    private static var example: JSONSchema {
        JSONSchema.map(
            nil,
            [
                ("text", .reference("scalar", "A message.")),
                (
                    "embeds",
                    .described("Embeds as Discord sends them, for engine embed.").with(("type", ["object", "array"]))
                ),
                (
                    "expect",
                    .described("none, or the records; a value read from the text must be named.").with(
                        (
                            "anyOf",
                            [
                                ["const": "none"],
                                ["type": "array", "minItems": .number(1), "items": ["type": "object"]],
                            ]
                        )
                    )
                ),
            ],
            required: ["expect"]
        ).with(("oneOf", [["required": ["text"]], ["required": ["embeds"]]]))
    }
}
