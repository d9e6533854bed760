import Model
import Rules

/// What a plugin says about one message: one line of JSON with exactly one of `records`, `skip`, `retry` and `dead`.
/// Other members mean nothing, but for an `id`, which must then be the message's.
enum PluginAnswer: Equatable {
    /// At least one, checked.
    case records([Record])
    /// It is not for this plugin, and the next stage is asked.
    case skip(String)
    /// It cannot tell now.
    case retry(String)
    /// It never can, or what it made are no records as declared.
    case dead(String)

    /// More records of one message than this are no message a person wrote.
    static let mostRecords = 1000

    /// - Throws: ``NotAnAnswer``, after which nobody knows which message the next line would answer.
    static func read(
        _ line: some ContiguousBytesOfJSON,
        to id: Snowflake,
        records reader: RecordReader
    ) throws(NotAnAnswer) -> PluginAnswer {
        let document: JSONDocument
        do {
            document = try JSONDocument(line)
        } catch {
            throw NotAnAnswer("is \(error)")
        }
        let json = document.root
        guard json.kind == .object else { throw NotAnAnswer("is not a JSON object") }
        if let other = json["id"], other.string != id.description, other.numberLiteral != id.description {
            throw NotAnAnswer("has the id of another message")
        }
        let kinds = json.members.map(\.key).filter { ["records", "skip", "retry", "dead"].contains($0) }
        guard kinds.count == 1 else {
            throw NotAnAnswer(
                "has \(kinds.isEmpty ? "none" : "more than one") of 'records', 'skip', 'retry' and 'dead'"
            )
        }
        if let records = json["records"] { return try read(records, reader) }
        guard let why = json.member(kinds[0])?.string else { throw NotAnAnswer("gives no string as '\(kinds[0])'") }
        return kinds[0] == "skip" ? .skip(why) : kinds[0] == "retry" ? .retry(why) : .dead(why)
    }

    /// All of the records or none: half a message is never written.
    private static func read(_ json: JSONView, _ reader: RecordReader) throws(NotAnAnswer) -> PluginAnswer {
        guard json.kind == .array else { throw NotAnAnswer("gives no array as 'records'") }
        var records: [Record] = []
        for (index, element) in json.elements.enumerated() {
            guard index < mostRecords else { return .dead("answered more than \(mostRecords) records") }
            do throws(RecordReader.Refusal) {
                records.append(try reader.read(element))
            } catch {
                switch error.cause {
                case .check: return .skip(error.description)
                case .shape: return .dead("answered what is no record: records[\(index)]: \(error)")
                }
            }
        }
        return records.isEmpty ? .skip("made no record of it") : .records(records)
    }
}

/// A line that is no answer to the message it follows.
struct NotAnAnswer: Error, Equatable, CustomStringConvertible {
    /// Continues "its answer …".
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
