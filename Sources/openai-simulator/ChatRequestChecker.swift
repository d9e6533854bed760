import Model
import SimulatorKit

/// What is wrong with a request.
struct RequestProblem: Error, CustomStringConvertible {
    var message: String
    var param: String?

    init(_ message: String, param: String? = nil) {
        self.message = message
        self.param = param
    }

    var description: String { message }
}

/// A request that was found in order.
struct AskedChat {
    var model: String
    /// The first user turn as it is, and without its first and last line, which delimit a message.
    var text: String
    var message: String
    /// Whether an answer was given before and is now put right.
    var isAgain: Bool
    var schema: JSONDocument?
    var maximumTokens: Int?
    var promptBytes: Int
}

/// Reads a request as strictly as its sender should write it: what OpenAI would refuse is refused, and so is what it
/// would take but nobody here should send.
enum ChatRequestChecker {
    private static let known: Set = [
        "model", "messages", "response_format", "temperature", "max_tokens", "max_completion_tokens", "n", "stream",
        "seed", "user", "store",
    ]

    static func check(_ request: APIRequest) throws -> AskedChat {
        guard request.contentType?.hasPrefix("application/json") == true else {
            throw RequestProblem("you must send a Content-Type of application/json")
        }
        let json = try JSONDocument(request.body).root
        for (key, _) in json.members where !known.contains(key) {
            throw RequestProblem("Unrecognized request argument supplied: \(key)", param: key)
        }
        guard let model = json["model"]?.string, !model.isEmpty else {
            throw RequestProblem("you must provide a model parameter", param: "model")
        }
        if let temperature = json["temperature"] {
            guard let value = temperature.double, (0...2).contains(value) else {
                throw RequestProblem("temperature must be a number from 0 to 2", param: "temperature")
            }
        }
        if json["stream"]?.boolean == true { throw RequestProblem("the simulator does not stream", param: "stream") }
        let turns = try turns(json["messages"])
        let user = turns.first { $0.role == "user" }?.content ?? ""
        let lines = user.split(separator: "\n", omittingEmptySubsequences: false)
        return AskedChat(
            model: model,
            text: user,
            message: lines.count > 2 ? lines[1..<(lines.count - 1)].joined(separator: "\n") : user,
            isAgain: turns.contains { $0.role == "assistant" },
            schema: try schema(json["response_format"]),
            maximumTokens: try maximumTokens(json),
            promptBytes: request.body.count
        )
    }

    private static func turns(_ json: JSONView?) throws -> [(role: String, content: String)] {
        let turns = try (json?.elements.map { $0 } ?? []).enumerated().map { index, turn in
            guard let role = turn["role"]?.string, ["system", "developer", "user", "assistant"].contains(role) else {
                throw RequestProblem("Invalid value for role", param: "messages.[\(index)].role")
            }
            guard let content = turn["content"]?.string else {
                throw RequestProblem("Invalid type for content", param: "messages.[\(index)].content")
            }
            return (role, content)
        }
        guard !turns.isEmpty else { throw RequestProblem("[] is too short - 'messages'", param: "messages") }
        return turns
    }

    private static func maximumTokens(_ json: JSONView) throws -> Int? {
        let given = [json["max_tokens"], json["max_completion_tokens"]].compactMap { $0 }
        guard given.count < 2 else {
            throw RequestProblem("max_tokens and max_completion_tokens exclude each other", param: "max_tokens")
        }
        guard let limit = given.first else { return nil }
        guard let value = limit.integer, value > 0 else {
            throw RequestProblem("the limit of tokens must be a positive integer", param: "max_tokens")
        }
        return Int(value)
    }

    // MARK: Schemas

    private static func schema(_ format: JSONView?) throws -> JSONDocument? {
        guard let format else { return nil }
        let param = "response_format"
        switch format["type"]?.string {
        case "text", "json_object": return nil
        case "json_schema": break
        default: throw RequestProblem("Invalid value for response_format.type", param: param)
        }
        guard let named = format["json_schema"], let name = named["name"]?.string, let schema = named["schema"] else {
            throw RequestProblem("Missing required parameter: response_format.json_schema", param: param)
        }
        let isName =
            (1...64).contains(name.utf8.count)
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) }
        guard isName else { throw RequestProblem("Invalid name of a schema: '\(name)'", param: param) }
        guard named["strict"]?.boolean == true else {
            throw RequestProblem("the simulator wants schemas to be strict", param: param)
        }
        guard schema["type"]?.string == "object" else {
            throw invalid(name, "schema must be a JSON Schema of 'type: \"object\"'")
        }
        var properties = 0
        try check(schema, name, depth: 1, properties: &properties)
        return try JSONDocument(Array(schema.raw))
    }

    private static let keywords: Set = [
        "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "description",
    ]

    /// OpenAI's guide "Structured model outputs": at most 5,000 properties and ten levels, every property required and
    /// no others allowed.
    private static func check(_ schema: JSONView, _ name: String, depth: Int, properties: inout Int) throws {
        guard schema.kind == .object else { throw invalid(name, "a schema must be an object") }
        for (key, _) in schema.members where !keywords.contains(key) {
            throw invalid(name, "'\(key)' is not permitted")
        }
        guard depth <= 10 else { throw invalid(name, "more than 10 levels of nesting") }
        for branch in schema["anyOf"]?.elements.map({ $0 }) ?? [] {
            try check(branch, name, depth: depth, properties: &properties)
        }
        switch schema["type"]?.string {
        case "object":
            guard schema["additionalProperties"]?.boolean == false else {
                throw invalid(name, "'additionalProperties' is required to be supplied and to be false")
            }
            let names = schema["properties"]?.members.map { $0.key } ?? []
            guard Set(names) == Set(schema["required"]?.elements.compactMap(\.string) ?? []) else {
                throw invalid(name, "'required' is required to be supplied and to include every key in properties")
            }
            properties += names.count
            guard properties <= 5000 else { throw invalid(name, "more than 5000 properties") }
            for (_, property) in schema["properties"]?.members.map({ $0 }) ?? [] {
                try check(property, name, depth: depth + 1, properties: &properties)
            }
        case "array":
            guard let items = schema["items"] else { throw invalid(name, "array schema missing items") }
            try check(items, name, depth: depth + 1, properties: &properties)
        case "string", "number", "integer", "boolean", "null": break
        case nil where schema["anyOf"] != nil: break
        default: throw invalid(name, "a schema must have a 'type'")
        }
    }

    private static func invalid(_ name: String, _ problem: String) -> RequestProblem {
        RequestProblem("Invalid schema for response_format '\(name)': \(problem).", param: "response_format")
    }
}

/// The smallest JSON that a schema allows.
enum SmallestInstance {
    static func of(_ schema: JSONView) -> String {
        var writer = JSONWriter()
        write(schema, &writer)
        return writer.text
    }

    private static func write(_ schema: JSONView, _ writer: inout JSONWriter) {
        if let branches = schema["anyOf"]?.elements.map({ $0 }), let last = branches.last {
            return write(last, &writer)
        }
        if let first = schema["enum"]?.elements.first(where: { _ in true }) { return writer.raw(first.raw) }
        switch schema["type"]?.string {
        case "object":
            writer.object { writer in
                for (name, property) in schema["properties"]?.members.map({ $0 }) ?? [] {
                    writer.key(name)
                    write(property, &writer)
                }
            }
        case "array": writer.array { _ in }
        case "string": writer.value("")
        case "number", "integer": writer.value(0)
        case "boolean": writer.value(false)
        default: writer.null()
        }
    }
}
