import Model

/// What a server does with a schema sent beside the messages.
package enum SchemaSupport: String, Sendable, CaseIterable {
    /// Answers hold to it.
    case honoured
    /// It is taken and has no effect, so it is spelt out to the model as well.
    case ignored
    /// A request that carries one is refused, so it is only spelt out.
    case refused

    /// A question whose honest answer the schema forbids: only a server that enforces it answers as ``reads(_:)``
    /// wants.
    package static func probe(model: String) -> ChatRequest {
        ChatRequest(
            model: model,
            turns: [
                ChatRequest.Turn(.system, "Answer every message with the one word hello, without any JSON."),
                ChatRequest.Turn(.user, "hello"),
            ],
            schema: Array(
                """
                {"type":"object","properties":{"probe":{"type":"string","enum":["chaffinch"]}},"required":["probe"],\
                "additionalProperties":false}
                """.utf8
            ),
            maximumTokens: 64
        )
    }

    /// What the answer to the probe tells.
    package init(_ answer: ChatAnswer) {
        let probe = (try? JSONDocument(answer.content))?.root["probe"]?.string
        self = probe == "chaffinch" ? .honoured : .ignored
    }
}
