import Foundation
import GRDB

/// The queue's database inside a transaction.
struct SQLiteConnection: SQLConnection {
    let database: Database

    var dialect: Dialect { .sqlite }

    func query(_ sql: String, _ parameters: [SQLValue]) throws -> TextTable {
        // `?1` names a parameter by its number; `$1` would be numbered by where it first stands.
        let statement = try database.cachedStatement(sql: sql.replacing("$", with: "?"))
        let values = parameters.map(\.databaseValue)
        let rows = try Row.fetchAll(statement, arguments: StatementArguments(values))
        return TextTable(
            columns: statement.columnNames,
            rows: rows.map { row in row.databaseValues.map(\.text) }
        )
    }

    func execute(_ sql: String) throws {
        try database.execute(sql: sql)
    }

    /// Runs a statement once; returns how many rows it changed.
    func run(_ sql: String, _ values: [DatabaseValue]) throws -> Int {
        let statement = try database.cachedStatement(sql: sql)
        try statement.execute(arguments: StatementArguments(values))
        return database.changesCount
    }

    func existingSchema(of tables: [TableLayout]) throws -> ExistingSchema {
        var existing = ExistingSchema()
        for table in tables {
            let found = try query("SELECT type FROM sqlite_schema WHERE name = $1", [.text(table.name)]).rows
            guard let kind = found.first?[0] else { continue }
            existing.tables[table.name] = try describe(table.name, isTable: kind == "table")
        }
        let indexes = try query("SELECT name FROM sqlite_schema WHERE type = 'index'", [])
        existing.indexes = Set(indexes.rows.compactMap { $0[0] })
        return existing
    }

    private func describe(_ name: String, isTable: Bool) throws -> ExistingSchema.Table {
        let columns = try query(
            "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info($1) ORDER BY pk",
            [.text(name)]
        )
        var table = ExistingSchema.Table(isTable: isTable)
        for row in columns.rows {
            guard let column = row[0] else { continue }
            table.columns[column] = ExistingSchema.Column(
                type: row[1] ?? "",
                isRequired: row[2] == "1",
                hasDefault: row[3] != nil
            )
            if row[4] != "0" { table.primaryKey.append(column) }
        }
        return table
    }
}

extension SQLValue {
    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let value): value.databaseValue
        case .real(let value): value.databaseValue
        case .text(let value): value.databaseValue
        case .bytes(let value): Data(value).databaseValue
        }
    }
}

extension DatabaseValue {
    fileprivate var text: String? {
        switch storage {
        case .null: nil
        case .int64(let value): String(value)
        case .double(let value): String(value)
        case .string(let value): value
        case .blob(let value): "\\x" + value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}
