import Model

extension SQLConnection {
    /// One statement a letter: letters are rare, and come one by one.
    func insert(_ letters: [DeadLetter]) throws {
        let settling = ["replayed_by", "settled_at", "reason"]
        let columns = TableLayout.deadLetters.columns.map(\.name).filter { !settling.contains($0) }
        let values = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
        // What is replayed or discarded stays so when its death is delivered once more; a later death is a new one.
        let assignments = (columns.filter { $0 != "id" } + settling).map { column in
            switch column {
            case _ where settling.contains(column):
                "\(column) = CASE WHEN excluded.last_at > dead_letters.last_at THEN NULL ELSE dead_letters.\(column) END"
            case "state":
                "state = CASE WHEN excluded.last_at > dead_letters.last_at THEN excluded.state ELSE dead_letters.state END"
            case "first_at":
                "first_at = CASE WHEN excluded.first_at < dead_letters.first_at THEN excluded.first_at "
                    + "ELSE dead_letters.first_at END"
            default: "\(column) = excluded.\(column)"
            }
        }
        let sql = """
            INSERT INTO dead_letters (\(columns.joined(separator: ", "))) VALUES (\(values))
            ON CONFLICT (id) DO UPDATE SET \(assignments.joined(separator: ", "))
            WHERE excluded.last_at >= dead_letters.last_at
            """
        for letter in letters.sorted(by: { $0.id < $1.id }) { _ = try query(sql, try parameters(of: letter)) }
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
