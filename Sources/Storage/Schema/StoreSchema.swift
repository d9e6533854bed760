package import Model

/// Which tables a pipeline needs: those every pipeline has, one per record type, and one per list of a record type.
package struct StoreSchema: Sendable {
    /// The pipeline's name, which the database remembers as its owner.
    let pipeline: String
    let records: [RecordTables]
    private let recordIndex: [String: Int]

    /// The table of a record type and those of its lists, in the type's order.
    struct RecordTables: Sendable {
        let type: RecordType
        let table: TableLayout
        let lists: [(type: ListType, table: TableLayout)]
    }

    /// - Parameter pipeline: the pipeline's name.
    package init(pipeline: String, records: [RecordType]) {
        self.pipeline = pipeline
        self.records = records.map { type in
            RecordTables(
                type: type,
                table: .record(type),
                lists: type.lists.map { ($0, .list($0, of: type)) }
            )
        }
        recordIndex = Dictionary(records.enumerated().map { ($1.name, $0) }) { first, _ in first }
    }

    func indexOfRecord(named name: String) -> Int? { recordIndex[name] }

    /// Record and list tables, in the order of the pipeline.
    var recordTables: [TableLayout] { records.flatMap { [$0.table] + $0.lists.map(\.table) } }

    var tables: [TableLayout] {
        [.chaffinchSchema, .messages, .fetchCursors, .deadLetters, .openaiSpend, .openaiAnswers] + recordTables
    }

    /// Why no database could hold these tables; empty when one can.
    ///
    /// Postgres cuts names after 63 bytes without an error, and SQLite knows no case in names.
    package var problems: [String] {
        var problems: [String] = []
        var names: Set<String> = []
        for table in tables {
            if !names.insert(table.name.lowercased()).inserted {
                problems.append("two tables would be named '\(table.name)'")
            }
            var columns: Set<String> = []
            for column in table.columns where !columns.insert(column.name.lowercased()).inserted {
                problems.append("table '\(table.name)' would have two columns named '\(column.name)'")
            }
            for name in [table.name] + table.columns.map(\.name) where name.utf8.count > 63 || name.isEmpty {
                problems.append("'\(name)' is not 1 to 63 bytes long, so it cannot name a table or column")
            }
        }
        return problems
    }
}
