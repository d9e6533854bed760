package import Logging
package import Model

/// The database as the workers and commands use it, whether Postgres or SQLite is behind it.
///
/// Every method is one transaction. Blocking calls run on a thread of the store's own. All methods throw
/// ``StoreError``; after `unavailable` the same call may be made again, since every one of them is idempotent.
package protocol Store:
    DeadLetterDesk, LastResortLedger, MessageArchive, MessageDeletion, MessageRetention, RoleSetup, Sendable
{
    /// Creates the tables, or widens them to what the schema asks for, all in one transaction and under a lock, so
    /// that two setups at once do not clash. A SQLite file is made where there is none, with the folders above it (for
    /// their owner alone); every other method throws `notSetUp` then and makes nothing.
    ///
    /// - Throws: `notAdditive` with the SQL that would be needed when a change could lose or refuse data;
    ///   `otherPipeline` when the database belongs to another; `lockTimeout` when another setup or a long
    ///   transaction holds the tables for more than ten seconds.
    func setUp() async throws -> SetupReport

    /// Adds names to the stages that this pipeline ever had. Its tables must be set up.
    ///
    /// - Returns: all of them, those of earlier calls too.
    func rememberStages(_ stages: [String]) async throws -> [String]

    /// All stages that this pipeline ever had, as far as they were remembered.
    func rememberedStages() async throws -> [String]

    /// Returns when the database answers and has every table and column the schema needs.
    ///
    /// - Throws: `notSetUp` when something is missing, `otherPipeline` when the database belongs to another.
    func checkReady() async throws

    /// Writes messages and their records. A message's higher version replaces all its records in every record table;
    /// an equal or lower one changes nothing, nor does any version of a deleted message.
    ///
    /// - Parameter keeping: with `parsed`, a message of another outcome is not inserted, but a row that is there
    ///   already is updated, so that an edit that no longer parses takes its records away. An edited message is always
    ///   inserted: its row keeps the original, which may come later, from standing as if it were never edited.
    /// - Throws: `badData` when the database refuses a value, or a record does not suit the schema; then nothing of
    ///   the batch was written.
    func write(_ batch: [ParsedMessage], keeping: MessageKeeping) async throws -> WriteReport

    /// Adds dead letters. One that is there already is brought up to date, unless what is there is newer.
    func insert(_ letters: [DeadLetter]) async throws

    /// Takes or renews the right to read a channel, by the database's clock. A new holder raises the epoch, which
    /// fences off the one before.
    ///
    /// - Parameters:
    ///   - startingAt: the cursor of a channel never read before. One read before keeps its own.
    ///   - since: another such cursor; the lower of the two counts.
    /// - Returns: `nil` while another holder's lease is valid.
    func acquireLease(
        channel: Snowflake,
        holder: String,
        duration: Duration,
        startingAt: Snowflake,
        since: Snowflake?
    ) async throws -> ChannelLease?

    /// Moves the cursor forward, never backward, and renews the lease.
    ///
    /// - Returns: false when the lease was taken over or released, and when the cursor stands before
    ///   ``ChannelLease/contiguousID``: the database was put back to an earlier state, and what was stored since is to be
    ///   read once more.
    func advance(_ lease: ChannelLease, to id: Snowflake, renewingFor duration: Duration) async throws -> Bool

    /// Notes that history was read back to `until`; a higher value than the one noted changes nothing.
    ///
    /// - Returns: false when the lease was taken over or released.
    func finishBackfill(_ lease: ChannelLease, until: Snowflake) async throws -> Bool

    /// Gives leases up, so that another may acquire them at once. Those taken over meanwhile are left alone.
    func release(_ leases: [ChannelLease]) async throws

    /// Counts what became of every message, in one snapshot.
    func books() async throws -> Books

    /// Runs one read-only statement and returns its result as text. Booleans and times look as the database prints
    /// them.
    func rows(_ sql: String) async throws -> TextTable

    /// Closes the connection after what is under way. Later calls throw `unavailable`.
    func close() async
}

extension Store {
    /// The records of a type whose messages are newest, newest first.
    package func newestRecords(of type: String, limit: Int) async throws -> TextTable {
        try await rows(
            "SELECT * FROM \(quoted(type)) ORDER BY message_id DESC, ordinal DESC LIMIT \(max(0, limit))"
        )
    }
}

/// Opens a store. Nothing is connected before the first call, so this never blocks.
///
/// - Parameters:
///   - url: `postgres://…`, `postgresql://…` or `sqlite:PATH`. Parameters of a Postgres URL that libpq knows, such as
///     `sslmode` or `connect_timeout`, win over Chaffinch's own.
///   - name: who connects, such as `store/1`; shown in `pg_stat_activity`.
/// - Throws: ``StoreError`` with code `badURL`; the URL itself is never in the text.
package func openStore(_ url: String, schema: StoreSchema, name: String, logger: Logger) throws -> any Store {
    if url.hasPrefix("postgres://") || url.hasPrefix("postgresql://") {
        return DatabaseStore(
            engine: try PostgresEngine(url: url, name: name, logger: logger),
            schema: schema,
            name: name
        )
    }
    if url.hasPrefix("sqlite:") {
        let path = String(url.dropFirst("sqlite:".count))
        guard !path.isEmpty else { throw StoreError(.badURL, "sqlite: the path of the database file is missing") }
        return DatabaseStore(engine: SQLiteEngine(path: path, logger: logger), schema: schema, name: name)
    }
    throw StoreError(.badURL, "a database URL begins with postgres://, postgresql:// or sqlite:")
}

/// Which messages get a row in `messages`.
package enum MessageKeeping: Sendable {
    case all, parsed
}

package struct SetupReport: Sendable, Equatable {
    /// What was changed, such as `created table trading_signal` or `added column trading_signal.leverage`.
    package var applied: [String] = []
    /// Columns that the pipeline no longer names, such as `trading_signal.risk`. They stay as they are.
    package var unused: [String] = []

    package init(applied: [String] = [], unused: [String] = []) {
        self.applied = applied
        self.unused = unused
    }
}

package struct WriteReport: Sendable, Equatable {
    /// Messages that are new or replaced an older version.
    package var written: Int
    /// Messages that changed nothing: versions known or outdated, repetitions within the batch, and what is not kept.
    package var unchanged: Int
    /// Records written, without the rows of their lists.
    package var records: Int

    package init(written: Int = 0, unchanged: Int = 0, records: Int = 0) {
        self.written = written
        self.unchanged = unchanged
        self.records = records
    }
}

/// The result of a query as text; SQL's null is `nil`.
package struct TextTable: Sendable, Equatable {
    package var columns: [String]
    package var rows: [[String?]]

    package init(columns: [String], rows: [[String?]]) {
        self.columns = columns
        self.rows = rows
    }
}
