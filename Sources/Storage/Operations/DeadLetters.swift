import Model

extension SQLConnection {
    /// One statement or two a letter: letters are rare, and come one by one. Their messages must be locked.
    func insert(_ letters: [DeadLetter]) throws {
        for letter in letters.sorted(by: { $0.id < $1.id }) {
            let found = try query("SELECT payload FROM dead_letters WHERE id = $1", [SQLValue(letter.id)])
            let known = found.namedRows.first.flatMap { DeadLetter.versionOfMessage(in: $0.bytes("payload")) }
            let version = DeadLetter.versionOfMessage(in: letter.payload)
            // A replay of an older version would change nothing, so the higher one is what must not be lost.
            if let known, let version, version < known { continue }
            let isNewer = if let known, let version { version > known } else { false }
            _ = try query(Self.upsert(replacing: isNewer), try parameters(of: letter))
        }
    }

    /// - Parameter replacing: whether it takes the place of what is there, whenever that died.
    private static func upsert(replacing: Bool) -> String {
        let settling = ["replayed_by", "settled_at", "reason"]
        let columns = TableLayout.deadLetters.columns.map(\.name).filter { !settling.contains($0) }
        let values = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
        // What is replayed or discarded stays so when its death is delivered once more; a later death is a new one.
        let isAnother = replacing ? "1 = 1" : "excluded.last_at > dead_letters.last_at"
        let assignments = (columns.filter { $0 != "id" } + settling).map { column in
            switch column {
            case _ where settling.contains(column):
                "\(column) = CASE WHEN \(isAnother) THEN NULL ELSE dead_letters.\(column) END"
            case "state": "state = CASE WHEN \(isAnother) THEN excluded.state ELSE dead_letters.state END"
            case "first_at":
                "first_at = CASE WHEN excluded.first_at < dead_letters.first_at THEN excluded.first_at "
                    + "ELSE dead_letters.first_at END"
            default: "\(column) = excluded.\(column)"
            }
        }
        return """
            INSERT INTO dead_letters (\(columns.joined(separator: ", "))) VALUES (\(values))
            ON CONFLICT (id) DO UPDATE SET \(assignments.joined(separator: ", "))
            \(replacing ? "" : "WHERE excluded.last_at >= dead_letters.last_at")
            """
    }

    /// In the order of ``TableLayout/deadLetters``, without what a replay or a discarding adds.
    private func parameters(of letter: DeadLetter) throws -> [SQLValue] {
        let times = letter.attemptTimes.map { "\"\($0.fixedWidth)\"" }.joined(separator: ",")
        return [
            SQLValue(letter.id), SQLValue(letter.stage), dialect.value(try letter.messageIDs.map { try $0.signed }),
            SQLValue(letter.errorClass), SQLValue(letter.errorCode), SQLValue(letter.errorText),
            .integer(Int64(letter.attempts)), .text(dialect == .postgres ? "{\(times)}" : "[\(times)]"),
            SQLValue(letter.firstAt), SQLValue(letter.lastAt), SQLValue(letter.worker), SQLValue(letter.version),
            letter.generation.map { .integer(Int64($0)) } ?? .null, SQLValue(letter.fingerprint),
            .bytes(letter.payload), SQLValue(letter.state), SQLValue(letter.messageID), SQLValue(letter.type),
            SQLValue(letter.pipeline), SQLValue(letter.replay),
        ]
    }
}
