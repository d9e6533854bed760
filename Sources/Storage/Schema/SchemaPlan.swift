/// The tables that are there, as far as they bear the names that are needed.
struct ExistingSchema: Equatable {
    struct Column: Equatable {
        var type: String
        var isRequired: Bool
        var hasDefault: Bool
    }

    struct Table: Equatable {
        /// False for a view or anything else that bears the name of a table.
        var isTable = true
        var columns: [String: Column] = [:]
        var primaryKey: [String] = []
    }

    var tables: [String: Table] = [:]
    var indexes: Set<String> = []
}

/// How to get from the tables that are there to those that are needed, if nothing but additions is allowed.
struct SchemaPlan: Equatable {
    struct Step: Equatable {
        var summary: String
        var sql: String
        /// Without an index everything still works.
        var isIndex = false
    }

    struct Refusal: Equatable {
        var problem: String
        /// What an operator would have to run.
        var sql: String
    }

    private(set) var steps: [Step] = []
    private(set) var refusals: [Refusal] = []
    private(set) var unused: [String] = []

    private let dialect: Dialect

    init(needed: [TableLayout], existing: ExistingSchema, dialect: Dialect) {
        self.dialect = dialect
        for table in needed {
            if let present = existing.tables[table.name] {
                widen(present, to: table)
            } else {
                steps.append(Step(summary: "created table \(table.name)", sql: create(table)))
            }
            for index in table.indexes where !existing.indexes.contains(index.name) {
                steps.append(
                    Step(
                        summary: "created index \(index.name)",
                        sql: "CREATE INDEX \(quoted(index.name)) ON \(quoted(table.name)) (\(quoted(index.columns)))",
                        isIndex: true
                    )
                )
            }
        }
    }

    private func create(_ table: TableLayout) -> String {
        let columns = table.columns.map { column in
            "\(quoted(column.name)) \(dialect.typeName(column.type))\(column.isRequired ? " NOT NULL" : "")"
        }
        let key = "PRIMARY KEY (\(quoted(table.primaryKey)))"
        // A table whose rows are found by several columns is its own index that way; only SQLite has to be told.
        let suffix = dialect == .sqlite && table.primaryKey.count > 1 ? " WITHOUT ROWID" : ""
        return "CREATE TABLE \(quoted(table.name)) (\((columns + [key]).joined(separator: ", ")))\(suffix)"
    }

    private mutating func widen(_ present: ExistingSchema.Table, to table: TableLayout) {
        guard present.isTable, present.primaryKey == table.primaryKey else {
            let problem =
                present.isTable
                ? "table \(table.name) has another primary key than (\(table.primaryKey.joined(separator: ", ")))"
                : "\(table.name) is not a table"
            refusals.append(Refusal(problem: problem, sql: moveAway(table.name, isTable: present.isTable)))
            return
        }
        for column in table.columns {
            if let there = present.columns[column.name] {
                compare(there, with: column, of: table.name)
            } else {
                add(column, to: table.name)
            }
        }
        let names = Set(table.columns.map(\.name))
        for (name, column) in present.columns.sorted(by: { $0.key < $1.key }) where !names.contains(name) {
            if column.isRequired && !column.hasDefault {
                refuseRequired(name, of: table.name)
            } else {
                unused.append("\(table.name).\(name)")
            }
        }
    }

    private mutating func add(_ column: ColumnLayout, to table: String) {
        guard !column.isRequired else {
            refusals.append(
                Refusal(
                    problem: "table \(table) lacks the required column \(column.name)",
                    sql: moveAway(table, isTable: true)
                )
            )
            return
        }
        let type = dialect.typeName(column.type)
        steps.append(
            Step(
                summary: "added column \(table).\(column.name)",
                sql: "ALTER TABLE \(quoted(table)) ADD COLUMN \(quoted(column.name)) \(type)"
            )
        )
    }

    private mutating func compare(_ there: ExistingSchema.Column, with column: ColumnLayout, of table: String) {
        let type = dialect.typeName(column.type)
        if there.type != type {
            refusals.append(
                Refusal(
                    problem: "column \(table).\(column.name) is of type \(there.type), not \(type)",
                    sql: changeType(of: column.name, to: type, in: table)
                )
            )
        } else if there.isRequired && !column.isRequired {
            refuseRequired(column.name, of: table)
        }
    }

    private mutating func refuseRequired(_ column: String, of table: String) {
        let sql =
            switch dialect {
            case .postgres: "ALTER TABLE \(quoted(table)) ALTER COLUMN \(quoted(column)) DROP NOT NULL;"
            // SQLite cannot change a column, so it is put aside with its table.
            case .sqlite: moveAway(table, isTable: true)
            }
        refusals.append(Refusal(problem: "column \(table).\(column) does not allow null", sql: sql))
    }

    private func changeType(of column: String, to type: String, in table: String) -> String {
        switch dialect {
        case .postgres:
            "ALTER TABLE \(quoted(table)) ALTER COLUMN \(quoted(column)) TYPE \(type) USING \(quoted(column))::\(type);"
        // SQLite cannot change a column's type. With the old one out of the way, setup adds the new one.
        case .sqlite:
            "ALTER TABLE \(quoted(table)) RENAME COLUMN \(quoted(column)) TO \(quoted(column + "_before"));"
        }
    }

    private func moveAway(_ name: String, isTable: Bool) -> String {
        switch dialect {
        case .sqlite where !isTable: "DROP VIEW \(quoted(name));"
        case .postgres where !isTable: "ALTER VIEW \(quoted(name)) RENAME TO \(quoted(name + "_before"));"
        default: "ALTER TABLE \(quoted(name)) RENAME TO \(quoted(name + "_before"));"
        }
    }
}
