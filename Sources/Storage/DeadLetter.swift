package import Model

/// A message that retries did not save, as the table `dead_letters` keeps it.
package struct DeadLetter: Sendable, Equatable {
    /// From ``makeID(messageID:stage:replay:)``.
    package var id: String
    /// The queue's stage: `parse`, `openai`, `store` or a plugin's.
    package var stage: String
    /// The Discord messages inside; empty when the payload could not be read.
    package var messageIDs: [Snowflake]
    package var errorClass: String
    package var errorCode: String?
    package var errorText: String
    package var attempts: Int
    package var attemptTimes: [Timestamp]
    package var firstAt: Timestamp
    package var lastAt: Timestamp
    package var worker: String
    /// Chaffinch's version.
    package var version: String
    /// The rule generation it died under.
    package var generation: Int?
    /// Alike for deaths of the same cause; from ``makeFingerprint(stage:error:)``.
    package var fingerprint: String
    /// The body as it was on the wire.
    package var payload: [UInt8]
    /// A ``DeadLetterState``.
    package var state: String
    /// The wire's `message_id`, under which a replay publishes it again.
    package var messageID: String?
    /// The AMQP `type`.
    package var type: String?
    /// `cf-pipeline`: whose message it was; `nil` when it named none.
    package var pipeline: String?
    /// `cf-replay`: the replay after which it died once more.
    package var replay: String?

    package init(
        id: String,
        stage: String,
        messageIDs: [Snowflake],
        errorClass: String,
        errorCode: String? = nil,
        errorText: String,
        attempts: Int,
        attemptTimes: [Timestamp],
        firstAt: Timestamp,
        lastAt: Timestamp,
        worker: String,
        version: String,
        generation: Int? = nil,
        fingerprint: String,
        payload: [UInt8],
        state: String = DeadLetterState.dead.rawValue,
        messageID: String? = nil,
        type: String? = nil,
        pipeline: String? = nil,
        replay: String? = nil
    ) {
        self.id = id
        self.stage = stage
        self.messageIDs = messageIDs
        self.errorClass = errorClass
        self.errorCode = errorCode
        self.errorText = errorText
        self.attempts = attempts
        self.attemptTimes = attemptTimes
        self.firstAt = firstAt
        self.lastAt = lastAt
        self.worker = worker
        self.version = version
        self.generation = generation
        self.fingerprint = fingerprint
        self.payload = payload
        self.state = state
        self.messageID = messageID
        self.type = type
        self.pipeline = pipeline
        self.replay = replay
    }

    /// The id of a death: the same for a redelivery, another one after each replay.
    ///
    /// - Parameters:
    ///   - messageID: the wire's `message_id`, or the Discord id of a message that died alone.
    ///   - replay: the header `cf-replay`; absent or empty before the first replay.
    package static func makeID(messageID: String, stage: String, replay: String? = nil) -> String {
        guard let replay, !replay.isEmpty else { return "\(stage)/\(messageID)" }
        return "\(stage)/\(messageID)/\(replay)"
    }

    /// Sixteen hexadecimal digits that are equal for errors whose texts differ only in digits and quoted values.
    package static func makeFingerprint(stage: String, error: String) -> String {
        var hash = StableHash()
        hash.add("\(stage)\u{0}\(generalised(error))".utf8)
        return hash.hexadecimal
    }

    /// The version of the one message in a payload; `nil` when there are several, or it cannot be told.
    static func versionOfMessage(in payload: [UInt8]) -> MessageVersion? {
        guard let root = try? JSONDocument(payload).root else { return nil }
        let elements = root.kind == .array ? Array(root.elements) : [root]
        guard elements.count == 1, let element = elements.first else { return nil }
        let message = element["message"] ?? element
        let times = [message["edited_timestamp"], message["timestamp"]]
        guard let time = times.compactMap({ $0?.string.flatMap { Timestamp(iso8601: $0) } }).first else { return nil }
        return MessageVersion(instant: time, revision: element["revision"]?.integer ?? 0)
    }

    private static func generalised(_ error: String) -> String {
        var result = ""
        var quote: Character?
        var previous: Character = " "
        for character in error {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" && !previous.isLetter {
                quote = character
                result += "?"
            } else if character.isNumber {
                if result.last != "#" { result += "#" }
            } else {
                result.append(character)
            }
            previous = character
        }
        return result
    }
}
