package import Model

/// Our own headers of a message. Whatever else a message carried is not republished: RabbitMQ confirms and then never
/// delivers a message that still bears an `x-death` naming the queue it is sent to.
package struct WireHeaders: Sendable, Equatable {
    /// `cf-pipeline`: the name of the pipeline; a message of another one goes dead.
    package var pipeline: String
    /// `cf-schema`: what the body was written by.
    package var schema: String?
    /// `cf-attempt`: how often the message has been to a retry queue from its present stage.
    package var attempt: Int
    /// `cf-first-at`: when it entered the pipeline.
    package var firstAt: Timestamp?
    /// `cf-attempts`: when each attempt of this stage failed, oldest first.
    package var attemptTimes: [Timestamp]
    /// `cf-error`: why it was last retried or went dead, as ``Fault`` describes itself.
    package var error: String?
    /// `cf-worker`: who wrote ``error``, such as `parse/1`.
    package var worker: String?
    /// `cf-generation`: the generation that worker ran.
    package var generation: Int?
    /// `cf-isolated`: a worker died over the page it was split off.
    package var isIsolated: Bool
    /// `cf-replay`: the replay that published it.
    package var replay: String?

    package init(
        pipeline: String,
        schema: String? = nil,
        attempt: Int = 0,
        firstAt: Timestamp? = nil,
        attemptTimes: [Timestamp] = [],
        error: String? = nil,
        worker: String? = nil,
        generation: Int? = nil,
        isIsolated: Bool = false,
        replay: String? = nil
    ) {
        self.pipeline = pipeline
        self.schema = schema
        self.attempt = attempt
        self.firstAt = firstAt
        self.attemptTimes = attemptTimes
        self.error = error
        self.worker = worker
        self.generation = generation
        self.isIsolated = isIsolated
        self.replay = replay
    }
}

extension WireHeaders {
    /// Longer error texts are cut: all headers of a message must fit one frame.
    static let maximumErrorBytes = 8 * 1024
    /// Somebody else may have written it, and what was taken in must be publishable again.
    private static let maximumValueBytes = 255
    /// Far more than there are retry levels.
    private static let maximumAttemptTimes = 100

    var fields: [AMQPField] {
        var fields = [
            AMQPField("cf-pipeline", .string(pipeline)), AMQPField("cf-attempt", .integer(Int64(attempt))),
        ]
        if let schema { fields.append(AMQPField("cf-schema", .string(schema))) }
        if let firstAt { fields.append(AMQPField("cf-first-at", .string(firstAt.iso8601))) }
        if let error {
            let text = String(decoding: error.utf8.prefix(Self.maximumErrorBytes), as: UTF8.self)
            fields.append(AMQPField("cf-error", .string(text)))
        }
        if !attemptTimes.isEmpty {
            let times = attemptTimes.suffix(Self.maximumAttemptTimes).map(\.iso8601).joined(separator: ",")
            fields.append(AMQPField("cf-attempts", .string(times)))
        }
        if let worker { fields.append(AMQPField("cf-worker", .string(worker))) }
        if let generation { fields.append(AMQPField("cf-generation", .integer(Int64(generation)))) }
        if isIsolated { fields.append(AMQPField("cf-isolated", .integer(1))) }
        if let replay { fields.append(AMQPField("cf-replay", .string(replay))) }
        return fields
    }

    /// `nil` when the message names no pipeline: it is not one of ours.
    init?(_ fields: [AMQPField]) {
        func text(_ name: String, limit: Int = Self.maximumValueBytes) -> String? {
            fields[name]?.string.map {
                $0.utf8.count <= limit ? $0 : String(decoding: $0.utf8.prefix(limit), as: UTF8.self)
            }
        }
        guard let pipeline = text("cf-pipeline") else { return nil }
        self.init(
            pipeline: pipeline,
            schema: text("cf-schema"),
            attempt: fields["cf-attempt"]?.integer.flatMap { Int(exactly: $0) } ?? 0,
            firstAt: fields["cf-first-at"]?.string.flatMap { Timestamp(iso8601: $0) },
            attemptTimes: fields["cf-attempts"]?.string?.split(separator: ",")
                .compactMap { Timestamp(iso8601: String($0)) } ?? [],
            error: text("cf-error", limit: Self.maximumErrorBytes),
            worker: text("cf-worker"),
            generation: fields["cf-generation"]?.integer.flatMap { Int(exactly: $0) },
            isIsolated: fields["cf-isolated"]?.integer == 1,
            replay: text("cf-replay")
        )
    }
}
