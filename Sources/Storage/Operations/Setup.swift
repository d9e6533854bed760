extension SQLConnection {
    private static var pipelineKey: String { "pipeline" }

    func setUp(_ schema: StoreSchema) throws -> SetupReport {
        guard schema.problems.isEmpty else {
            throw StoreError(.internal, schema.problems.joined(separator: "; "))
        }
        let existing = try existingSchema(of: schema.tables)
        let owner = try owner(in: existing)
        try check(owner: owner ?? schema.pipeline, against: schema)
        let plan = SchemaPlan(needed: schema.tables, existing: existing, dialect: dialect)
        guard plan.refusals.isEmpty else {
            throw StoreError(
                .notAdditive(sql: plan.refusals.map(\.sql)),
                plan.refusals.map(\.problem).joined(separator: "; ")
                    + "; setup only ever adds. To change it by hand, think about the data, then run:"
            )
        }
        for step in plan.steps { try execute(step.sql) }
        try grantRoles(on: schema.tables.map(\.name).filter { existing.tables[$0] == nil }, of: schema)
        if owner == nil {
            _ = try query(
                "INSERT INTO chaffinch_schema (key, value) VALUES ($1, $2)",
                [.text(Self.pipelineKey), .text(schema.pipeline)]
            )
        }
        try registerRecordTables(of: schema)
        return SetupReport(applied: plan.steps.map(\.summary), unused: plan.unused)
    }

    func checkReady(_ schema: StoreSchema) throws {
        let existing = try existingSchema(of: schema.tables)
        guard let owner = try owner(in: existing) else {
            throw StoreError(.notSetUp, "the database has no tables of Chaffinch yet; run 'chaffinch setup'")
        }
        try check(owner: owner, against: schema)
        let plan = SchemaPlan(needed: schema.tables, existing: existing, dialect: dialect)
        let missing = plan.steps.filter { !$0.isIndex }
        guard missing.isEmpty, plan.refusals.isEmpty else {
            let problems = missing.map { "not yet \($0.summary)" } + plan.refusals.map(\.problem)
            throw StoreError(.notSetUp, "the tables do not fit the pipeline: " + problems.joined(separator: "; "))
        }
    }

    private func check(owner: String, against schema: StoreSchema) throws {
        guard owner == schema.pipeline else {
            throw StoreError(
                .otherPipeline,
                "the database belongs to pipeline '\(owner)', and this one is '\(schema.pipeline)'"
            )
        }
    }

    /// The name of the pipeline that set this database up; `nil` when none did.
    private func owner(in existing: ExistingSchema) throws -> String? {
        guard existing.tables[TableLayout.chaffinchSchema.name] != nil else { return nil }
        let found = try query("SELECT value FROM chaffinch_schema WHERE key = $1", [.text(Self.pipelineKey)])
        return found.rows.first?[0]
    }
}
