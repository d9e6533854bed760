import Model

/// A question to a chat completions endpoint. Source: OpenAI API reference, "Create chat completion".
package struct ChatRequest: Sendable, Equatable {
    package struct Turn: Sendable, Equatable {
        package enum Role: String, Sendable { case system, user, assistant }
        package var role: Role
        package var content: String

        package init(_ role: Role, _ content: String) {
            self.role = role
            self.content = content
        }
    }

    package var model: String
    package var turns: [Turn]
    /// The JSON Schema the answer must hold to; `nil` for servers that refuse one.
    package var schema: [UInt8]?
    /// The most tokens the answer may have.
    package var maximumTokens: Int

    package init(model: String, turns: [Turn], schema: [UInt8]?, maximumTokens: Int) {
        self.model = model
        self.turns = turns
        self.schema = schema
        self.maximumTokens = maximumTokens
    }

    /// The request's body. No tools, one choice, temperature 0.
    ///
    /// - Parameter limitKey: `max_completion_tokens`, as OpenAI names the limit now, or `max_tokens`, as all
    ///   compatible servers do.
    func body(limitKey: String) -> [UInt8] {
        var writer = JSONWriter(reserving: 4096)
        writer.object { writer in
            writer.key("model")
            writer.value(model)
            writer.key("messages")
            writer.array { writer in
                for turn in turns {
                    writer.object { writer in
                        writer.key("role")
                        writer.value(turn.role.rawValue)
                        writer.key("content")
                        writer.value(turn.content)
                    }
                }
            }
            if let schema { Self.write(schema, to: &writer) }
            writer.key("temperature")
            writer.value(0)
            writer.key(limitKey)
            writer.value(maximumTokens)
        }
        return writer.bytes
    }

    private static func write(_ schema: [UInt8], to writer: inout JSONWriter) {
        writer.key("response_format")
        writer.object { writer in
            writer.key("type")
            writer.value("json_schema")
            writer.key("json_schema")
            writer.object { writer in
                writer.key("name")
                writer.value("records")
                writer.key("strict")
                writer.value(true)
                writer.key("schema")
                writer.raw(schema)
            }
        }
    }

    /// Roughly how many tokens the turns and the schema come to: a token of English or JSON has about four bytes and
    /// hardly ever fewer than two. A little too many rather than too few.
    package var estimatedPromptTokens: Int {
        let bytes = turns.reduce(schema?.count ?? 0) { $0 + $1.content.utf8.count }
        return bytes / 3 + 8 * turns.count + 16
    }
}

/// What a chat completions endpoint answered.
package struct ChatAnswer: Sendable, Equatable {
    package var content: String
    package var refusal: String?
    package var finishReason: String
    /// `nil` where the server does not say.
    package var usage: Usage?

    package struct Usage: Sendable, Equatable {
        package var promptTokens: Int
        package var completionTokens: Int

        package init(promptTokens: Int, completionTokens: Int) {
            self.promptTokens = promptTokens
            self.completionTokens = completionTokens
        }

        package var total: Int { promptTokens + completionTokens }
    }

    package init(content: String, refusal: String? = nil, finishReason: String, usage: Usage? = nil) {
        self.content = content
        self.refusal = refusal
        self.finishReason = finishReason
        self.usage = usage
    }

    /// `nil` for what is no chat completion.
    init?(_ body: [UInt8]) {
        guard let root = (try? JSONDocument(body))?.root,
            let choice = root["choices"]?.elements.first(where: { _ in true }),
            let message = choice["message"], message.kind == .object,
            let finish = choice["finish_reason"]?.string
        else { return nil }
        content = message["content"]?.string ?? ""
        refusal = message["refusal"]?.string
        finishReason = finish
        usage = root["usage"].flatMap(Usage.init)
    }
}

extension ChatAnswer.Usage {
    /// No prompt costs nothing: who says so has not counted.
    fileprivate init?(_ json: JSONView) {
        guard let prompt = json["prompt_tokens"]?.integer, let completion = json["completion_tokens"]?.integer,
            (1...1_000_000_000).contains(prompt), (0...1_000_000_000).contains(completion)
        else { return nil }
        self.init(promptTokens: Int(prompt), completionTokens: Int(completion))
    }
}
