/// A parameter of a statement.
enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case bytes([UInt8])
}

/// A connection inside a transaction: what the operations that both databases share are written against.
///
/// Methods throw what their library throws; the engine that opened the transaction turns it into a ``StoreError``.
protocol SQLConnection {
    var dialect: Dialect { get }

    /// Runs one statement with parameters `$1`, `$2`, ….
    func query(_ sql: String, _ parameters: [SQLValue]) throws -> TextTable

    /// Runs statements that return nothing.
    func execute(_ sql: String) throws

    func existingSchema(of tables: [TableLayout]) throws -> ExistingSchema

    func write(_ batch: WriteBatch, keeping: MessageKeeping, schema: StoreSchema) throws -> WriteReport
}

enum TransactionKind {
    case write
    /// Reads only, and all from one instant.
    case snapshot
    /// Changes tables: alone among all setups, and allowed to take long.
    case setUp
}

/// A database that runs transactions, one at a time. Its calls block.
protocol SQLEngine: AnyObject {
    associatedtype Connection: SQLConnection

    /// Runs `body` in a transaction, connecting first where needed. It commits when `body` returns, rolls back when it
    /// throws, and may run `body` again after a conflict with another transaction.
    ///
    /// - Throws: ``StoreError``.
    func transaction<Result>(_ kind: TransactionKind, _ body: (Connection) throws -> Result) throws -> Result

    func close()
}
