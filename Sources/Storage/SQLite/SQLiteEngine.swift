import Foundation
import GRDB
import Logging

/// A SQLite database file, opened at the first transaction. Only a setup makes the file and its folder.
///
/// In write-ahead mode with `synchronous=FULL`, so that a commit is on the disk when it returns: acknowledging the
/// broker must not run ahead of it.
final class SQLiteEngine: SQLEngine {
    /// Seconds that a transaction waits for another one to end.
    private static let lockTimeout = 10.0

    private let path: String
    private let logger: Logger
    private var queue: DatabaseQueue?
    /// The file of ``queue``.
    private var identity: SQLiteFile.Identity?
    /// Kept open to the end of the process: to close one would delete the write-ahead log of the file that took its place.
    private var orphans: [DatabaseQueue] = []
    private var isClosed = false

    init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
    }

    func transaction<Result>(
        _ kind: TransactionKind,
        _ body: (SQLiteConnection) throws -> Result
    ) throws -> Result {
        do {
            let queue = try opened(for: kind)
            switch kind {
            case .snapshot: return try queue.read { try body(SQLiteConnection(database: $0)) }
            case .write, .setUp:
                var result: Result?
                // Immediate: a transaction that began by reading could not wait for another writer to finish.
                try queue.writeWithoutTransaction { database in
                    try database.inTransaction(.immediate) {
                        result = try body(SQLiteConnection(database: database))
                        return .commit
                    }
                }
                return result!
            }
        } catch let error as DatabaseError {
            throw StoreError(error, during: kind)
        }
    }

    func close() {
        isClosed = true
        // A statement still in use would make this fail; there is none between transactions.
        try? queue?.close()
        queue = nil
    }

    private func opened(for kind: TransactionKind) throws -> DatabaseQueue {
        guard !isClosed else { throw StoreError(.unavailable, "the store is closed") }
        let file = SQLiteFile(path: path)
        if let queue {
            if file.identity == identity { return queue }
            // SQLite would go on writing to a file that nobody can find any more.
            logger.error("the database file was deleted or replaced", metadata: ["path": "\(path)"])
            orphans.append(queue)
            self.queue = nil
        }
        if kind == .setUp {
            try file.makeFolder()
        } else if !file.exists {
            throw StoreError(.notSetUp, "there is no database file \(path) yet; run 'chaffinch setup'")
        }
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.lockTimeout)
        configuration.label = "chaffinch"
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        }
        let queue = try whenUnlocked { try DatabaseQueue(path: path, configuration: configuration) }
        logger.debug("opened the SQLite database", metadata: ["path": "\(path)"])
        self.queue = queue
        identity = file.identity
        return queue
    }

    /// Several that open a new file at once all want to switch it to write-ahead mode, and there SQLite does not wait by the
    /// time-out above but fails at once where waiting could deadlock (sqlite.org/c3ref/busy_handler.html).
    private func whenUnlocked<Result>(_ body: () throws -> Result) throws -> Result {
        let deadline = ContinuousClock.now + .seconds(Self.lockTimeout)
        while true {
            do {
                return try body()
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY && ContinuousClock.now < deadline
            {
                Thread.sleep(forTimeInterval: 0.02)
            }
        }
    }
}

extension StoreError {
    fileprivate init(_ error: DatabaseError, during kind: TransactionKind) {
        let text = "SQLite: \(error.message ?? error.resultCode.description) (\(error.extendedResultCode.rawValue))"
        let state = "\(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(kind == .setUp ? .lockTimeout : .unavailable, text, state: state)
        case .SQLITE_CANTOPEN, .SQLITE_IOERR, .SQLITE_FULL, .SQLITE_NOMEM, .SQLITE_PROTOCOL, .SQLITE_INTERRUPT:
            self.init(.unavailable, text, state: state)
        case .SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_TOOBIG: self.init(.badData, text, state: state)
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: self.init(.permission, text, state: state)
        case .SQLITE_ERROR where error.message?.hasPrefix("no such table") == true,
            .SQLITE_ERROR where error.message?.hasPrefix("no such column") == true,
            .SQLITE_ERROR where error.message?.contains("has no column named") == true:
            self.init(.notSetUp, text, state: state)
        default: self.init(.internal, text, state: state)
        }
    }
}
