import Model

/// A ``Store`` over either engine, on a thread of its own since the engines' calls block.
actor DatabaseStore<Engine: SQLEngine>: Store {
    private nonisolated let thread: DedicatedThread
    let engine: Engine
    let schema: StoreSchema

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(engine: sending Engine, schema: StoreSchema, name: String) {
        thread = DedicatedThread(name: "db \(name)")
        self.engine = engine
        self.schema = schema
    }

    func setUp() throws -> SetupReport {
        try engine.transaction(.setUp) { try $0.setUp(schema) }
    }

    func rememberStages(_ stages: [String]) throws -> [String] {
        try engine.transaction(.setUp) { connection in
            try connection.remember(stages)
            return try connection.rememberedStages()
        }
    }

    func rememberedStages() throws -> [String] {
        try engine.transaction(.snapshot) { try $0.rememberedStages() }
    }

    func checkReady() throws {
        try engine.transaction(.snapshot) { try $0.checkReady(schema) }
    }

    func write(_ batch: [ParsedMessage], keeping: MessageKeeping) throws -> WriteReport {
        let prepared = try WriteBatch(batch, schema: schema)
        guard !prepared.messages.isEmpty else { return WriteReport() }
        return try engine.transaction(.write) { try $0.write(prepared, keeping: keeping, schema: schema) }
    }

    func insert(_ letters: [DeadLetter]) throws {
        guard !letters.isEmpty else { return }
        try engine.transaction(.write) { connection in
            try connection.lock(letters.flatMap(\.messageIDs))
            try connection.insert(letters)
            try connection.eraseLateArrivals(in: letters)
        }
    }

    func acquireLease(
        channel: Snowflake,
        holder: String,
        duration: Duration,
        startingAt: Snowflake,
        since: Snowflake?
    ) throws -> ChannelLease? {
        let start = min(startingAt, since ?? startingAt)
        return try engine.transaction(.write) {
            try $0.acquireLease(channel: channel, holder: holder, duration: duration, startingAt: start)
        }
    }

    func advance(_ lease: ChannelLease, to id: Snowflake, renewingFor duration: Duration) throws -> Bool {
        try engine.transaction(.write) { try $0.advance(lease, to: id, renewingFor: duration) }
    }

    func finishBackfill(_ lease: ChannelLease, until: Snowflake) throws -> Bool {
        try engine.transaction(.write) { try $0.finishBackfill(lease, until: until) }
    }

    func release(_ leases: [ChannelLease]) throws {
        guard !leases.isEmpty else { return }
        try engine.transaction(.write) { connection in
            for lease in leases.inLockOrder { try connection.release(lease) }
        }
    }

    func books() throws -> Books {
        try engine.transaction(.snapshot) { try $0.books(schema) }
    }

    func rows(_ sql: String) throws -> TextTable {
        try engine.transaction(.snapshot) { try $0.query(sql, []) }
    }

    func close() {
        engine.close()
    }
}

extension [ChannelLease] {
    /// Rows are always locked in the order of their keys, so that no two transactions wait for each other.
    fileprivate var inLockOrder: [ChannelLease] { sorted { $0.channel < $1.channel } }
}
