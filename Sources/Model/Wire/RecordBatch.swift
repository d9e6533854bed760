/// What travels from parse to store: a JSON array of
/// `{message, outcome, reason, parser, parser_version, source, revision, records:[{record, fields, lists}]}`.
///
/// `message` is the Discord object as received; absent members are left out, as is a `revision` of 0.
package enum RecordBatch {
    /// One element, which is also what `chaffinch parse` prints on a line.
    package static func write(_ parsed: ParsedMessage, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("message")
            writer.raw(parsed.message.payload)
            writer.key("outcome")
            writer.value(parsed.outcome.rawValue)
            writeOptional("reason", parsed.reason, to: &writer)
            writeOptional("parser", parsed.parser, to: &writer)
            writeOptional("parser_version", parsed.parserVersion, to: &writer)
            writeOptional("source", parsed.source?.rawValue, to: &writer)
            if parsed.revision != 0 {
                writer.key("revision")
                writer.value(parsed.revision)
            }
            writer.key("records")
            writer.array { writer in
                for record in parsed.records { write(record, to: &writer) }
            }
        }
    }

    package static func encode(_ batch: [ParsedMessage]) -> [UInt8] {
        var writer = JSONWriter(reserving: batch.reduce(2) { $0 + $1.message.payload.count + 256 })
        writer.array { writer in
            for parsed in batch { write(parsed, to: &writer) }
        }
        return writer.bytes
    }

    /// The messages of a batch, as a page of them: what parse made it of. An element without a `message` stays as it is.
    ///
    /// - Throws: ``JSONError`` when the bytes are neither an array nor a single object.
    package static func page(of bytes: some ContiguousBytesOfJSON) throws -> [UInt8] {
        let root = try JSONDocument(bytes).root
        guard root.kind == .array || root.kind == .object else {
            throw JSONError(reason: "a record batch must be a JSON array", offset: 0)
        }
        var writer = JSONWriter()
        writer.array { writer in
            for element in root.kind == .array ? Array(root.elements) : [root] {
                writer.raw((element["message"] ?? element).raw)
            }
        }
        return writer.bytes
    }

    /// One element of a batch that was read.
    package enum Element: Sendable {
        case parsed(ParsedMessage)
        /// An element that is not as described: why, and its bytes, so that it can go dead alone.
        case broken(RecordBatchError, payload: [UInt8])
    }

    /// Reads a batch against the record types it may hold. A broken element does not spoil its neighbours.
    ///
    /// - Throws: ``JSONError`` when the bytes as a whole are not a JSON array.
    package static func decode(
        _ bytes: some ContiguousBytesOfJSON,
        types: [String: RecordType]
    ) throws -> [Element] {
        let document = try JSONDocument(bytes)
        guard document.root.kind == .array else {
            throw JSONError(reason: "a record batch must be a JSON array", offset: 0)
        }
        return document.root.elements.map { element in
            do {
                return .parsed(try read(element, types: types))
            } catch {
                let failure = error as? RecordBatchError ?? RecordBatchError(problem: "\(error)")
                return .broken(failure, payload: Array(element.raw))
            }
        }
    }

    private static func read(_ json: JSONView, types: [String: RecordType]) throws -> ParsedMessage {
        guard let object = json["message"] else { throw RecordBatchError(problem: "'message' is missing") }
        let message = try Message(object)
        guard let outcome = json["outcome"]?.string.flatMap({ Outcome(rawValue: $0) }) else {
            throw RecordBatchError(id: message.id, problem: "'outcome' is missing or unknown")
        }
        guard let records = json["records"], records.kind == .array else {
            throw RecordBatchError(id: message.id, problem: "'records' is missing")
        }
        return ParsedMessage(
            message: message,
            outcome: outcome,
            reason: json["reason"]?.string,
            parser: json["parser"]?.string,
            parserVersion: json["parser_version"]?.string,
            source: json["source"]?.string.flatMap { RecordSource(rawValue: $0) },
            records: try records.elements.map { try readRecord($0, of: message.id, types: types) },
            revision: json["revision"]?.integer ?? 0
        )
    }

    private static func readRecord(
        _ json: JSONView,
        of id: Snowflake,
        types: [String: RecordType]
    ) throws -> Record {
        guard let name = json["record"]?.string, let type = types[name] else {
            throw RecordBatchError(id: id, problem: "record type '\(json["record"]?.string ?? "")' is not known here")
        }
        var record = Record(type: name)
        if let fields = json["fields"] {
            record.fields = try readFields(fields, of: type.fields, in: name, id: id)
        }
        for list in type.lists {
            guard let elements = json["lists"]?.member(list.name) else { continue }
            record.lists.append(
                Record.NamedList(
                    list.name,
                    try elements.elements.map {
                        try readFields($0, of: list.fields, in: "\(name).\(list.name)", id: id)
                    }
                )
            )
        }
        for (list, _) in json["lists"]?.members.map({ ($0.key, 0) }) ?? [] where type.list(named: list) == nil {
            throw RecordBatchError(id: id, problem: "'\(name)' has no list '\(list)'")
        }
        return record
    }

    private static func readFields(
        _ json: JSONView,
        of types: [FieldType],
        in place: String,
        id: Snowflake
    ) throws -> [Record.NamedValue] {
        var values: [Record.NamedValue] = []
        for (name, value) in json.members {
            guard let type = types.first(where: { $0.name == name }) else {
                throw RecordBatchError(id: id, problem: "'\(place)' has no field '\(name)'")
            }
            guard let typed = FieldValue(value, kind: type.kind) else {
                throw RecordBatchError(id: id, problem: "'\(place).\(name)' is not of type \(type.kind.rawValue)")
            }
            values.append(Record.NamedValue(name, typed))
        }
        return values
    }

    fileprivate static func write(_ record: Record, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("record")
            writer.value(record.type)
            writer.key("fields")
            write(record.fields, to: &writer)
            writer.key("lists")
            writer.object { writer in
                for list in record.lists {
                    writer.key(list.name)
                    writer.array { writer in
                        for element in list.elements { write(element, to: &writer) }
                    }
                }
            }
        }
    }

    private static func write(_ fields: [Record.NamedValue], to writer: inout JSONWriter) {
        writer.object { writer in
            for field in fields {
                writer.key(field.name)
                field.value.write(to: &writer)
            }
        }
    }

    private static func writeOptional(_ key: String, _ value: String?, to writer: inout JSONWriter) {
        guard let value else { return }
        writer.key(key)
        writer.value(value)
    }
}

extension Record {
    /// As it stands in a record batch: `{record, fields, lists}`.
    package func write(to writer: inout JSONWriter) { RecordBatch.write(self, to: &writer) }
}

/// An element of a record batch that is not as the wire format says, or does not fit the record types known here.
package struct RecordBatchError: Error, Equatable, CustomStringConvertible {
    /// The message's id, where that could be read.
    package var id: Snowflake?
    package var problem: String

    package init(id: Snowflake? = nil, problem: String) {
        self.id = id
        self.problem = problem
    }

    package var description: String { "record batch, message \(id.map(\.description) ?? "unknown"): \(problem)" }
}
