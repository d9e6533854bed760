/// What there ever was of this pipeline, in `chaffinch_schema`: what is taken out of `pipeline.yaml` leaves tables and
/// queues behind.
extension SQLConnection {
    /// Before the name of a table, as a key.
    private static var prefix: String { "table " }
    /// Before the name of a stage.
    private static var stagePrefix: String { "stage " }

    private func register(_ key: String, as value: String) throws {
        _ = try query(
            "INSERT INTO chaffinch_schema (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
            [.text(key), .text(value)]
        )
    }

    func remember(_ stages: [String]) throws {
        for stage in stages { try register(Self.stagePrefix + stage, as: "queue") }
    }

    func rememberedStages() throws -> [String] {
        let all = try query("SELECT key FROM chaffinch_schema WHERE key LIKE '\(Self.stagePrefix)%' ORDER BY key", [])
        return all.rows.compactMap { $0[0].map { String($0.dropFirst(Self.stagePrefix.count)) } }
    }

    func registerRecordTables(of schema: StoreSchema) throws {
        for table in schema.recordTables { try register(Self.prefix + table.name, as: "records") }
    }

    /// The tables of the schema, where what is to go with a message has to go; then those of record types that are no longer declared, as far as they still are there.
    func recordTables(_ schema: StoreSchema) throws -> [String] {
        let declared = schema.recordTables.map(\.name)
        let name = "substr(chaffinch_schema.key, \(Self.prefix.utf8.count + 1))"
        let known = "FROM chaffinch_schema WHERE key LIKE '\(Self.prefix)%'"
        // An operator may have dropped it, or made something else of its name.
        let registered =
            switch dialect {
            case .postgres:
                """
                SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'message_id'
                WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
                    AND relname IN (SELECT \(name) \(known)) ORDER BY relname
                """
            case .sqlite:
                """
                SELECT name FROM sqlite_schema AS present WHERE type = 'table' AND name IN (SELECT \(name) \(known))
                    AND EXISTS (SELECT 1 FROM pragma_table_info(present.name) WHERE name = 'message_id')
                ORDER BY name
                """
            }
        let left = try query(registered, []).rows.compactMap { $0[0] }
        return declared + left.filter { !declared.contains($0) }
    }
}
