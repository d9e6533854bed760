import Model

/// Rows of one table gathered column by column, and the statement that inserts them all by `unnest`.
final class ColumnarInsert {
    let sql: String
    let columns: [BinaryArray]
    private(set) var rows = 0

    /// - Parameters:
    ///   - columns: those that are filled from the rows; the order of ``columns``.
    ///   - last: another column and the expression that fills it.
    ///   - suffix: what follows the selection, such as a `WHERE` or `ON CONFLICT`.
    init(into table: String, columns layouts: [ColumnLayout], last: (String, String)? = nil, suffix: String = "") {
        columns = layouts.map { BinaryArray(of: $0.type.element) }
        let names = layouts.map(\.name) + (last.map { [$0.0] } ?? [])
        let values = layouts.map { "u.\(quoted($0.name))\($0.type.cast)" } + (last.map { [$0.1] } ?? [])
        let arrays = layouts.enumerated().map { "$\($0 + 1)::\($1.type.arrayName)" }
        sql = """
            INSERT INTO \(quoted(table)) (\(quoted(names)))
            SELECT \(values.joined(separator: ", "))
            FROM unnest(\(arrays.joined(separator: ", "))) AS u (\(quoted(layouts.map(\.name))))
            \(suffix)
            """
    }

    func finishRow() {
        rows += 1
    }

    /// Whether the rows should be written before another one comes.
    var isFull: Bool {
        rows >= WriteBatch.maximumRows || columns.contains { $0.count >= WriteBatch.maximumBytes }
    }

    func removeAll() {
        rows = 0
        for column in columns { column.removeAll() }
    }
}

extension ColumnType {
    /// Decimals travel as text: their digits are their truth on both sides.
    fileprivate var element: BinaryArray.ElementType {
        switch self {
        case .text, .decimal: .text
        case .integer: .bigint
        case .boolean: .boolean
        case .timestamp: .timestamp
        case .json: .json
        case .bytes, .integers, .timestamps: preconditionFailure("\(self) is only in tables written row by row")
        }
    }

    fileprivate var arrayName: String {
        switch element {
        case .text: "text[]"
        case .bigint: "bigint[]"
        case .boolean: "boolean[]"
        case .timestamp: "timestamptz[]"
        case .json: "json[]"
        }
    }

    fileprivate var cast: String { self == .decimal ? "::numeric" : "" }
}

extension BinaryArray {
    func append(_ value: FieldValue?) {
        switch value {
        case nil: append(nil as String?)
        case .text(let value), .json(let value): append(value)
        case .integer(let value): append(value)
        case .decimal(let value): append(value.description)
        case .boolean(let value): append(value)
        case .timestamp(let value): append(value)
        }
    }
}
