package import Model

/// The stored messages as a reparse reads them. Errors are as of ``Store``.
package protocol MessageArchive {
    /// The next messages in the order of their ids, each with its records. Deleted ones, and those whose payload is not
    /// kept, are passed over.
    ///
    /// - Parameters:
    ///   - position: only ids above this one.
    ///   - channels: only these; all when empty.
    func storedMessages(after position: Snowflake, channels: [Snowflake], limit: Int) async throws -> [StoredMessage]
}

/// A message as it stands in the tables.
package struct StoredMessage: Sendable, Equatable {
    package var id: Snowflake
    /// The JSON object as Discord sent it.
    package var payload: [UInt8]
    package var outcome: Outcome?
    package var reason: String?
    package var revision: Int64
    /// In the order of their ordinals.
    package var records: [StoredRecord]
}

/// A record as it stands in the tables, and what made it.
package struct StoredRecord: Sendable, Equatable {
    package var ordinal: Int
    package var record: Record
    package var parser: String?
    package var source: RecordSource?
}

extension DatabaseStore {
    func storedMessages(after position: Snowflake, channels: [Snowflake], limit: Int) throws -> [StoredMessage] {
        try engine.transaction(.snapshot) {
            try $0.storedMessages(after: position, channels: channels, limit: limit, schema: schema)
        }
    }
}
