package import Model
internal import PipelineFile

/// Messages labelled by hand, as JSON lines.
///
/// A line is a Discord message, or `{"text": …}` with `embeds` and `channel` where they matter, and beside it what must
/// come of it: `"expect"`, as examples of rule files have it, or `"records"`, a list that may be empty. With
/// `"kind": "ambiguous"` it does not count. The labels may also stand in a file of their own, line by line.
package struct TruthFile {
    private let records: [RecordType]
    private let channels: [ChannelName]
    /// Fields and lists that do not count.
    private let ignored: Set<String>

    package private(set) var lines: [TruthLine] = []
    /// What is wrong with which line, `file:line: what`.
    package private(set) var problems: [String] = []
    /// Names of channels that the pipeline does not watch, and on how many lines they stand.
    package private(set) var unknownChannels: [String: Int] = [:]

    /// - Parameters:
    ///   - records: the record types of the pipeline.
    ///   - channels: those of the pipeline; a message that names none stands in the first.
    package init(records: [RecordType], channels: [ChannelName], ignoring ignored: Set<String> = []) {
        self.records = records
        self.channels = channels
        self.ignored = ignored
    }

    /// Reads one line. What is wrong with it goes to ``problems``.
    ///
    /// - Parameters:
    ///   - label: the line that holds the label, where that is another.
    ///   - file: for ``problems``.
    package mutating func read(_ line: String, label: String? = nil, file: String, number: Int) {
        do {
            let document = try JSONDocument(line)
            let labels = try label.map { try JSONDocument($0) } ?? document
            let message = try message(document.root, number: number)
            let expectation = try expectation(labels.root)
            lines.append(
                TruthLine(
                    number: number,
                    message: message,
                    isAmbiguous: labels.root["kind"]?.string == "ambiguous",
                    records: expectation.records,
                    written: expectation.written
                )
            )
        } catch {
            problems.append("\(file):\(number): \(error)")
        }
    }

    // MARK: The message

    private mutating func message(_ json: JSONView, number: Int) throws -> Message {
        let json = json["message"] ?? json
        guard json.kind == .object else { throw TruthProblem("not a JSON object") }
        guard json["text"] != nil || json["content"] != nil || json["embeds"] != nil else {
            throw TruthProblem("no 'text', 'content', 'embeds' or 'message': what should be read?")
        }
        if json["channel_id"] != nil, json["timestamp"] != nil { return try Message(json) }
        var writer = JSONWriter()
        writer.object { writer in
            for (key, value) in [
                ("id", json["id"]?.string ?? String(number)),
                ("channel_id", channel(json).description), ("timestamp", "2000-01-01T00:00:00Z"),
                ("content", json["text"]?.string ?? json["content"]?.string ?? ""),
            ] {
                writer.key(key)
                writer.value(value)
            }
            writer.key("type")
            writer.value(0)
            if let embeds = json["embeds"] {
                writer.key("embeds")
                writer.raw(embeds.raw)
            }
        }
        return try Message(JSONDocument(writer.bytes).root)
    }

    private mutating func channel(_ json: JSONView) -> Snowflake {
        guard let name = json["channel"]?.string else { return channels.first?.id ?? Snowflake(1) }
        if let known = channels.first(where: { $0.name == name || $0.id.description == name }) { return known.id }
        unknownChannels[name, default: 0] += 1
        return Snowflake(1)
    }

    // MARK: The label

    private func expectation(_ json: JSONView) throws -> (records: [TruthRecord], written: [UInt8]) {
        if json["expect"]?.string == "none" { return ([], Array("[]".utf8)) }
        guard let label = json["expect"] ?? json["records"] else {
            throw TruthProblem("no 'expect': \"none\", or a list of records as in the examples of rule files")
        }
        guard label.kind == .array else { throw TruthProblem("'expect' is \"none\" or a list of records") }
        let records = try label.elements.map { try record($0, named: json["record"]?.string) }
        return (records, Array(label.raw))
    }

    private func record(_ json: JSONView, named name: String?) throws -> TruthRecord {
        guard json.kind == .object else { throw TruthProblem("an expected record is an object") }
        let type = try recordType(json["record"]?.string ?? name, of: json)
        var record = TruthRecord(type: type)
        for (key, value) in json.members where !ignored.contains(key) {
            if let field = type.fields.firstIndex(where: { $0.name == key }) {
                record.fields[field] = .some(try self.value(value, of: type.fields[field]))
            } else if let list = type.lists.firstIndex(where: { $0.name == key }) {
                record.lists[list] = try value.elements.map { try element($0, of: type.lists[list]) }
            } else if let group = ListGroup(key, in: type) {
                let field = type.lists[group.list].fields[group.field]
                record.groups[group] = try value.elements.compactMap { try self.value($0, of: field) }
            } else if key != "record" {
                let known = type.fields.map(\.name) + type.lists.map(\.name)
                let help =
                    nearest(key, in: known).map { "did you mean '\($0)'?" } ?? "leave it out with --ignore \(key)"
                throw TruthProblem("record '\(type.name)' has no field or list '\(key)'; \(help)")
            }
        }
        return record
    }

    /// The type that a label names; else the only one whose required fields it has, or the only one that has all it says.
    private func recordType(_ name: String?, of label: JSONView) throws -> RecordType {
        guard let name else {
            let keys = label.members.map { key, _ in key }.filter { !ignored.contains($0) }
            let fitting = [
                records,
                records.filter { type in type.fields.allSatisfy { !$0.required || keys.contains($0.name) } },
                records.filter { type in keys.allSatisfy { Self.has($0, in: type) } },
            ]
            if let only = fitting.first(where: { $0.count == 1 }) { return only[0] }
            let names = records.map(\.name).joined(separator: ", ")
            throw TruthProblem("name the record type by 'record': it is one of \(names)")
        }
        guard let type = records.first(where: { $0.name == name }) else {
            throw TruthProblem("no record type '\(name)' in the pipeline")
        }
        return type
    }

    private static func has(_ key: String, in type: RecordType) -> Bool {
        type.fields.contains { $0.name == key } || type.lists.contains { $0.name == key }
            || ListGroup(key, in: type) != nil
    }

    private func element(_ json: JSONView, of list: ListType) throws -> [Int: FieldValue] {
        guard json.kind == .object else { throw TruthProblem("an element of '\(list.name)' is an object") }
        var element: [Int: FieldValue] = [:]
        for (key, value) in json.members where !ignored.contains(key) {
            guard let field = list.fields.firstIndex(where: { $0.name == key }) else {
                throw TruthProblem("list '\(list.name)' has no field '\(key)'")
            }
            element[field] = try self.value(value, of: list.fields[field])
        }
        return element
    }

    /// `nil` for null. Strings are read as in a rule file, so that `"68.5k"` is a number too.
    private func value(_ json: JSONView, of field: FieldType) throws -> FieldValue? {
        if json.isNull { return nil }
        if let value = FieldValue(json, kind: field.kind), field.kind != .enum { return value }
        let text = json.string ?? String(decoding: json.raw, as: UTF8.self)
        do {
            return try ValueReader(field: field).read(text)
        } catch {
            throw TruthProblem("'\(field.name)': \(error)")
        }
    }
}

/// What is wrong with a line of a truth file.
private struct TruthProblem: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}
