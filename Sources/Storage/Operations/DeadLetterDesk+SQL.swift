import Model

extension SQLConnection {
    func deadLetters(_ filter: DeadLetterFilter, limit: Int) throws -> [DeadLetterSummary] {
        let condition = try DeadLetterCondition(filter, dialect: dialect)
        let columns = ["id", "state", "stage", "message_ids", "error_class", "error_text", "attempts", "fingerprint"]
        let found = try query(
            """
            SELECT \(columns.joined(separator: ", ")), \(dialect.iso("last_at")) AS last_at FROM dead_letters
            \(condition.sql) ORDER BY dead_letters.last_at DESC, id LIMIT \(max(0, limit))
            """,
            condition.parameters
        )
        return found.namedRows.map { row in
            DeadLetterSummary(
                id: row["id"] ?? "",
                state: row["state"] ?? "",
                stage: row["stage"] ?? "",
                messageIDs: row.ids("message_ids"),
                errorClass: row["error_class"] ?? "",
                errorText: row["error_text"] ?? "",
                attempts: row.integer("attempts") ?? 0,
                lastAt: row.time("last_at"),
                fingerprint: row["fingerprint"] ?? ""
            )
        }
    }

    func deadLetterGroups(_ filter: DeadLetterFilter) throws -> [DeadLetterGroup] {
        let condition = try DeadLetterCondition(filter, dialect: dialect)
        let found = try query(
            """
            SELECT fingerprint, stage, count(*) AS count, \(dialect.iso("min(first_at)")) AS first_at,
                \(dialect.iso("max(last_at)")) AS last_at, min(id) AS id, min(error_class) AS error_class,
                min(error_text) AS error_text
            FROM dead_letters \(condition.sql) GROUP BY fingerprint, stage ORDER BY count(*) DESC, fingerprint
            """,
            condition.parameters
        )
        return found.namedRows.map { row in
            DeadLetterGroup(
                fingerprint: row["fingerprint"] ?? "",
                stage: row["stage"] ?? "",
                count: row.integer("count") ?? 0,
                firstAt: row.time("first_at"),
                lastAt: row.time("last_at"),
                exampleID: row["id"] ?? "",
                errorClass: row["error_class"] ?? "",
                errorText: row["error_text"] ?? ""
            )
        }
    }

    func deadLetter(_ id: String) throws -> DeadLetterEntry? {
        let found = try query(
            "SELECT \(deadLetterColumns) FROM dead_letters WHERE id = $1",
            [SQLValue(id)]
        )
        return found.namedRows.first.map(DeadLetterEntry.init)
    }

    func deadLetterIDs(_ filter: DeadLetterFilter) throws -> [String] {
        let condition = try DeadLetterCondition(filter, dialect: dialect)
        let found = try query(
            "SELECT id FROM dead_letters \(condition.sql) ORDER BY last_at, id",
            condition.parameters
        )
        return found.rows.compactMap { $0[0] }
    }

    func claimDeadLetters(_ ids: [String], for replay: String) throws -> [DeadLetterEntry] {
        let found = try query(
            """
            UPDATE dead_letters SET state = 'replaying', settled_at = \(dialect.now),
                replayed_by = CASE WHEN state = 'replaying' THEN coalesce(replayed_by, $2) ELSE $2 END
            WHERE id IN (\(dialect.elements(of: "$1"))) AND state IN ('dead', 'replaying')
            RETURNING \(deadLetterColumns)
            """,
            [dialect.value(ids), SQLValue(replay)]
        )
        return found.namedRows.map(DeadLetterEntry.init)
    }

    /// - Returns: how many were in the first state.
    func settle(
        _ ids: [String],
        from old: DeadLetterState,
        to new: DeadLetterState,
        reason: String? = nil
    ) throws -> Int {
        let found = try query(
            """
            UPDATE dead_letters SET state = $2, reason = $3, settled_at = \(new == .dead ? "NULL" : dialect.now),
                replayed_by = \(new == .dead ? "NULL" : "replayed_by")
            WHERE id IN (\(dialect.elements(of: "$1"))) AND state = $4 RETURNING id
            """,
            [dialect.value(ids), SQLValue(new.rawValue), SQLValue(reason), SQLValue(old.rawValue)]
        )
        return found.rows.count
    }

    /// All columns, in a form that reads alike from both databases.
    private var deadLetterColumns: String {
        TableLayout.deadLetters.columns.map { column in
            switch column.type {
            case .timestamp: "\(dialect.iso(column.name)) AS \(column.name)"
            case .timestamps where dialect == .postgres: "to_json(\(column.name)) AS \(column.name)"
            default: column.name
            }
        }.joined(separator: ", ")
    }
}

/// A filter as SQL.
private struct DeadLetterCondition {
    private(set) var parameters: [SQLValue] = []
    private var terms: [String] = []

    /// Empty, or `WHERE …`.
    var sql: String { terms.isEmpty ? "" : "WHERE " + terms.joined(separator: " AND ") }

    init(_ filter: DeadLetterFilter, dialect: Dialect) throws {
        if !filter.ids.isEmpty { add(dialect.value(filter.ids)) { "id IN (\(dialect.elements(of: $0)))" } }
        if !filter.states.isEmpty {
            add(dialect.value(filter.states.map(\.rawValue))) { "state IN (\(dialect.elements(of: $0)))" }
        }
        if let stage = filter.stage { add(SQLValue(stage)) { "stage = \($0)" } }
        if let fingerprint = filter.fingerprint { add(SQLValue(fingerprint)) { "fingerprint = \($0)" } }
        if let message = filter.message {
            add(try SQLValue(message)) { parameter in
                dialect == .postgres
                    ? "\(parameter) = ANY (message_ids)"
                    : "EXISTS (SELECT 1 FROM json_each(message_ids) WHERE value = \(parameter))"
            }
        }
        if let since = filter.since { add(SQLValue(since)) { "last_at >= \($0)" } }
        if let until = filter.until { add(SQLValue(until)) { "last_at < \($0)" } }
    }

    private mutating func add(_ value: SQLValue, _ term: (String) -> String) {
        parameters.append(value)
        terms.append(term("$\(parameters.count)"))
    }
}

extension DeadLetterEntry {
    fileprivate init(_ row: TextTable.NamedRow) {
        letter = DeadLetter(
            id: row["id"] ?? "",
            stage: row["stage"] ?? "",
            messageIDs: row.ids("message_ids"),
            errorClass: row["error_class"] ?? "",
            errorCode: row["error_code"],
            errorText: row["error_text"] ?? "",
            attempts: row.integer("attempts") ?? 0,
            attemptTimes: row.instants("attempt_times"),
            firstAt: row.time("first_at"),
            lastAt: row.time("last_at"),
            worker: row["worker"] ?? "",
            version: row["version"] ?? "",
            generation: row.integer("generation"),
            fingerprint: row["fingerprint"] ?? "",
            payload: row.bytes("payload"),
            state: row["state"] ?? "",
            messageID: row["wire_id"],
            type: row["wire_type"],
            pipeline: row["pipeline"],
            replay: row["replay"]
        )
        replayedBy = row["replayed_by"]
        settledAt = row.instant("settled_at")
        reason = row["reason"]
    }
}
