import CPostgreSQL
import Glibc
import Logging

/// A Postgres server, connected when the next transaction needs it.
final class PostgresEngine: SQLEngine {
    private static let maximumConflicts = 10
    private static let setUpPatience: Duration = .seconds(900)

    private let url: String
    private let name: String
    private let logger: Logger
    private var connection: PostgresConnection?
    private var isClosed = false

    /// - Throws: ``StoreError`` with code `badURL`.
    init(url: String, name: String, logger: Logger) throws {
        self.url = url
        self.name = name
        self.logger = logger
        guard Self.isReadable(url) else {
            throw StoreError(
                .badURL,
                "the database URL cannot be read; is a character of the password not percent-encoded?"
            )
        }
    }

    /// Whether libpq takes the URL, and takes it as it was meant.
    ///
    /// Its own messages are of no use here, since they quote what they stumble over. A password with a bare `@`
    /// would end early and the rest of it be taken for the host, which error texts name.
    private static func isReadable(_ url: String) -> Bool {
        guard let options = PQconninfoParse(url, nil) else { return false }
        defer { PQconninfoFree(options) }
        var option = options
        while let keyword = option.pointee.keyword {
            defer { option += 1 }
            guard let text = option.pointee.val.map({ String(cString: $0) }) else { continue }
            switch String(cString: keyword) {
            case "host" where text.contains("@"): return false
            case "port" where !text.split(separator: ",").allSatisfy({ UInt16($0) != nil }): return false
            default: break
            }
        }
        return true
    }

    func transaction<Result>(
        _ kind: TransactionKind,
        _ body: (PostgresTransaction) throws -> Result
    ) throws -> Result {
        var conflicts = 0
        while true {
            do {
                return try attempt(kind, on: try connected(), body)
            } catch let error as PostgresError {
                if error.isConflict, conflicts < Self.maximumConflicts {
                    conflicts += 1
                    logger.debug("conflict with another transaction", metadata: ["error": "\(error.text)"])
                    usleep(.random(in: 1_000...20_000) * UInt32(conflicts))
                    continue
                }
                throw error.storeError
            }
        }
    }

    func close() {
        isClosed = true
        connection = nil
    }

    private func attempt<Result>(
        _ kind: TransactionKind,
        on connection: PostgresConnection,
        _ body: (PostgresTransaction) throws -> Result
    ) throws -> Result {
        do {
            let transaction = PostgresTransaction(connection: connection)
            guard kind == .setUp else {
                try connection.send(kind.begin)
                let result = try body(transaction)
                try connection.send("COMMIT")
                try connection.finish()
                return result
            }
            try connection.execute(kind.begin)
            return try connection.withPatience(Self.setUpPatience) {
                // One setup at a time in each schema; the lock goes with the transaction.
                try connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended('chaffinch setup ' || current_schema(), 0))"
                )
                let result = try body(transaction)
                try connection.execute("COMMIT")
                return result
            }
        } catch {
            let isSpoilt = (error as? PostgresError)?.isOfConnection ?? false
            if connection.isLost || (try? connection.execute("ROLLBACK")) == nil || isSpoilt {
                logger.warning("the connection to Postgres is lost")
                self.connection = nil
            }
            throw error
        }
    }

    private func connected() throws -> PostgresConnection {
        guard !isClosed else { throw StoreError(.unavailable, "the store is closed") }
        if let connection { return connection }
        let connection = try PostgresConnection(Self.defaults(name: name) + [("dbname", url)])
        // Acknowledging the broker must not run ahead of the disk. The time-outs keep a worker that stands still, or
        // whose host is gone, from holding locks for ever.
        try connection.execute(
            """
            SET synchronous_commit = on; SET statement_timeout = '25s';
            SET idle_in_transaction_session_timeout = '20s';
            SET client_min_messages = warning; SET datestyle = ISO; SET timezone = 'UTC'; SET bytea_output = hex
            """
        )
        logger.debug("connected to Postgres")
        self.connection = connection
        return connection
    }

    /// Of libpq's settings those that make it notice a dead peer within 30 s. The URL's own win.
    private static func defaults(name: String) -> [(key: String, value: String)] {
        [
            ("application_name", "chaffinch \(name)"), ("client_encoding", "UTF8"), ("connect_timeout", "10"),
            ("tcp_user_timeout", "20000"), ("keepalives", "1"), ("keepalives_idle", "10"),
            ("keepalives_interval", "5"), ("keepalives_count", "3"),
        ]
    }
}

extension TransactionKind {
    /// How a transaction begins, whatever the server's default isolation is.
    fileprivate var begin: String {
        switch self {
        case .write: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        case .snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        case .setUp:
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = 0"
        }
    }
}
