import Model

/// A batch made ready to write: each message once, in its highest version, in the order of the ids, and every record
/// checked against the schema.
///
/// Two transactions that touch rows in different orders can deadlock, hence the order.
struct WriteBatch {
    private(set) var messages: [ParsedMessage]
    /// Messages of the batch that another one of the same batch stood in for.
    private(set) var repeated: Int

    static let maximumRows = 2_000
    static let maximumBytes = 8 << 20

    /// - Throws: `badData` for an id no column holds, and for a record that does not suit the schema.
    init(_ batch: [ParsedMessage], schema: StoreSchema) throws {
        // The messages themselves are large; what they are sorted by is not.
        let places = batch.indices.map { Place(batch[$0], at: $0) }
        if zip(places, places.dropFirst()).allSatisfy({ $0.id < $1.id }) {
            messages = batch
        } else {
            messages = []
            messages.reserveCapacity(batch.count)
            for place in places.sorted() where messages.last?.message.id != place.id {
                messages.append(batch[place.index])
            }
        }
        repeated = batch.count - messages.count
        for parsed in messages { try Self.check(parsed, against: schema) }
    }

    /// Orders messages by id, the versions of one message from the highest down, and otherwise as they came.
    private struct Place: Comparable {
        let id: Snowflake
        let version: MessageVersion
        let index: Int

        init(_ parsed: ParsedMessage, at index: Int) {
            id = parsed.message.id
            version = parsed.version
            self.index = index
        }

        static func < (left: Place, right: Place) -> Bool {
            if left.id != right.id { return left.id < right.id }
            if left.version != right.version { return left.version > right.version }
            return left.index < right.index
        }
    }

    /// Runs of messages that one statement takes.
    var chunks: [ArraySlice<ParsedMessage>] {
        var chunks: [ArraySlice<ParsedMessage>] = []
        var start = 0
        var bytes = 0
        for (index, parsed) in messages.enumerated() {
            let size = parsed.message.payload.count + parsed.message.content.utf8.count
            if index - start == Self.maximumRows || (index > start && bytes + size > Self.maximumBytes) {
                chunks.append(messages[start..<index])
                start = index
                bytes = 0
            }
            bytes += size
        }
        if start < messages.count { chunks.append(messages[start...]) }
        return chunks
    }

    private static func check(_ parsed: ParsedMessage, against schema: StoreSchema) throws {
        let message = parsed.message
        for id in [message.id, message.channelID, message.guildID, message.authorID] { _ = try id?.signed }
        for record in parsed.records {
            guard let index = schema.indexOfRecord(named: record.type) else {
                throw StoreError(.badData, "message \(message.id): there is no record type '\(record.type)'")
            }
            let type = schema.records[index].type
            func fail(_ place: String) -> StoreError {
                StoreError(.badData, "message \(message.id): the fields of \(place) do not suit its type")
            }
            guard suits(record.fields, type.fields) else { throw fail(type.name) }
            for (index, list) in record.lists.enumerated() {
                guard let listType = type.list(named: list.name),
                    !record.lists[..<index].contains(where: { $0.name == list.name }),
                    list.elements.allSatisfy({ suits($0, listType.fields) })
                else { throw fail("\(type.name).\(list.name)") }
            }
        }
    }

    /// Whether every value has a field of its own and is of that field's kind.
    private static func suits(_ values: [Record.NamedValue], _ fields: [FieldType]) -> Bool {
        var found = 0
        for field in fields {
            guard let value = values.value(of: field.name) else { continue }
            guard value.isOf(field.kind) else { return false }
            found += 1
        }
        return found == values.count
    }
}

extension FieldValue {
    fileprivate func isOf(_ kind: FieldType.Kind) -> Bool {
        switch (self, kind) {
        case (.text, .text), (.text, .enum), (.integer, .integer), (.decimal, .decimal), (.boolean, .boolean),
            (.timestamp, .timestamp), (.json, .json):
            true
        default: false
        }
    }
}
