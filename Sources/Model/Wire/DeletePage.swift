/// What travels to store when messages were deleted, as AMQP type `message.delete`: a JSON array of
/// `{id, channel_id, deleted_at}`, the last being when the deletion was seen.
package enum DeletePage {
    package struct Deletion: Sendable, Hashable {
        package var id: Snowflake
        package var channelID: Snowflake
        package var seenAt: Timestamp

        package init(id: Snowflake, channelID: Snowflake, seenAt: Timestamp) {
            self.id = id
            self.channelID = channelID
            self.seenAt = seenAt
        }
    }

    package static func encode(_ deletions: [Deletion]) -> [UInt8] {
        var writer = JSONWriter()
        writer.array { writer in
            for deletion in deletions {
                writer.object { writer in
                    for (key, value) in [
                        ("id", deletion.id.description), ("channel_id", deletion.channelID.description),
                        ("deleted_at", deletion.seenAt.iso8601),
                    ] {
                        writer.key(key)
                        writer.value(value)
                    }
                }
            }
        }
        return writer.bytes
    }

    /// Reads a page of deletions.
    ///
    /// - Throws: ``JSONError`` when it is no JSON array, ``MessageError`` when an element lacks an id.
    package static func decode(_ bytes: some ContiguousBytesOfJSON) throws -> [Deletion] {
        let document = try JSONDocument(bytes)
        guard document.root.kind == .array else { throw JSONError(reason: "a page must be a JSON array", offset: 0) }
        return try document.root.elements.map { element in
            guard let id = element["id"]?.string.flatMap({ Snowflake($0) }) else {
                throw MessageError(field: "id", problem: "is missing or not an id")
            }
            guard let channel = element["channel_id"]?.string.flatMap({ Snowflake($0) }) else {
                throw MessageError(id: id, field: "channel_id", problem: "is missing or not an id")
            }
            guard let seen = element["deleted_at"]?.string.flatMap({ Timestamp(iso8601: $0) }) else {
                throw MessageError(id: id, field: "deleted_at", problem: "is missing or not an ISO 8601 time")
            }
            return Deletion(id: id, channelID: channel, seenAt: seen)
        }
    }
}
