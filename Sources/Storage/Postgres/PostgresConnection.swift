import CPostgreSQL
import Glibc

/// One connection of libpq. Not for several threads; its calls block, but never past their deadline.
final class PostgresConnection {
    /// How long one result may take. Statements are cancelled by the server a little earlier.
    static let ordinaryPatience: Duration = .seconds(26)

    private var handle: OpaquePointer?
    /// The names of prepared statements.
    private var prepared: [String: String] = [:]
    /// Those among them that the server has not confirmed yet.
    private var preparing: [String] = []
    private var names = 0
    /// Statements whose results are not read yet.
    private var sent = 0
    private var patience = ordinaryPatience

    /// - Parameter parameters: in the order in which libpq takes them; later ones win over earlier ones.
    /// - Throws: ``PostgresError`` without a state.
    init(_ parameters: [(key: String, value: String)]) throws {
        var keys: [UnsafePointer<CChar>?] = parameters.map { UnsafePointer(strdup($0.key)) }
        var values: [UnsafePointer<CChar>?] = parameters.map { UnsafePointer(strdup($0.value)) }
        keys.append(nil)
        values.append(nil)
        defer { for text in keys + values { free(UnsafeMutablePointer(mutating: text)) } }
        let handle = PQconnectdbParams(keys, values, 1)
        self.handle = handle
        guard PQstatus(handle) == CONNECTION_OK else {
            let text = handle.map { Self.oneLine(String(cString: PQerrorMessage($0)), by: "; ") } ?? "out of memory"
            PQfinish(handle)
            self.handle = nil
            throw PostgresError(state: nil, text: text)
        }
        // Without this libpq prints the server's notices to standard error.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        PQsetnonblocking(handle, 1)
    }

    deinit {
        PQfinish(handle)
    }

    /// Whether the connection can no longer be used.
    var isLost: Bool { handle == nil || PQstatus(handle) == CONNECTION_BAD }

    /// Runs `body` with another patience; with none, the server too lets statements take their time.
    func withPatience<Result>(_ duration: Duration, _ body: () throws -> Result) rethrows -> Result {
        patience = duration
        defer { patience = Self.ordinaryPatience }
        return try body()
    }

    /// Runs one or more statements without parameters.
    func execute(_ sql: String) throws {
        _ = try finish()
        guard PQsendQuery(try usable(), sql) == 1 else { throw lost() }
        var deadline = try flush()
        var failure: PostgresError?
        while let result = try nextResult(before: &deadline) { failure = failure ?? result.error }
        if let failure { throw failure }
    }

    /// Runs one statement whose parameters travel as text, their types inferred by the server.
    func query(_ sql: String, _ parameters: [String?]) throws -> PostgresResult {
        let copies = parameters.map { $0.flatMap { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        let values = copies.map { UnsafePointer<CChar>($0) }
        try send { PQsendQueryParams($0, sql, Int32(values.count), nil, values, nil, nil, 0) }
        return try lastResult(try finish())
    }

    /// Runs one statement whose parameters are binary arrays, preparing it the first time. The values of its result are
    /// binary too.
    ///
    /// - Parameter meanwhile: runs while the server works. It must not use the connection.
    func query(_ sql: String, _ arrays: [BinaryArray], meanwhile: () -> Void = {}) throws -> PostgresResult {
        try send(sql, arrays)
        return try lastResult(try finish(meanwhile: meanwhile))
    }

    // MARK: In company

    /// Sends a statement without parameters along with the next ones: its result, and its error, are theirs too. Each
    /// round trip that is spared is a wait for two processes to be woken.
    func send(_ sql: String) throws {
        try send { PQsendQueryParams($0, sql, 0, nil, nil, nil, nil, 0) }
    }

    /// As ``send(_:)``, with binary arrays, which may change afterwards.
    func send(_ sql: String, _ arrays: [BinaryArray]) throws {
        let name = try prepare(sql)
        let values: [UnsafePointer<CChar>?] = arrays.map(\.parameter)
        let lengths = arrays.map { Int32($0.count) }
        let formats = arrays.map { _ in Int32(1) }
        try withExtendedLifetime(arrays) {
            try send { PQsendQueryPrepared($0, name, Int32(values.count), values, lengths, formats, 1) }
        }
    }

    /// Waits for everything that was sent.
    ///
    /// - Returns: the results, one a statement.
    /// - Throws: the first error. The server has then skipped all that was sent after the statement at fault.
    @discardableResult
    func finish(meanwhile: () -> Void = {}) throws -> [PostgresResult] {
        guard sent > 0 else { return [] }
        guard PQpipelineSync(try usable()) == 1 else { throw lost() }
        var deadline = try flush()
        meanwhile()
        var results: [PostgresResult] = []
        var failure: PostgresError?
        for _ in 0..<sent {
            // Each statement's results end with none.
            while let result = try nextResult(before: &deadline) {
                failure = failure ?? result.error
                results.append(result)
            }
        }
        sent = 0
        guard let end = try nextResult(before: &deadline), end.endsPipeline, PQexitPipelineMode(handle) == 1 else {
            let error = lost()
            throw failure ?? error
        }
        defer { preparing = [] }
        if let failure {
            for sql in preparing { prepared[sql] = nil }
            throw failure
        }
        return results
    }

    private func send(_ statement: (OpaquePointer) -> Int32) throws {
        let handle = try usable()
        if sent == 0, PQenterPipelineMode(handle) != 1 { throw lost() }
        guard statement(handle) == 1 else { throw lost() }
        sent += 1
    }

    private func lastResult(_ results: [PostgresResult]) throws -> PostgresResult {
        guard let last = results.last else { throw lost() }
        return last
    }

    private func prepare(_ sql: String) throws -> String {
        if let name = prepared[sql] { return name }
        // Never used twice: after an error it is not known which of them the server has.
        let name = "s\(names)"
        names += 1
        try send { PQsendPrepare($0, name, sql, 0, nil) }
        prepared[sql] = name
        preparing.append(sql)
        return name
    }

    private func usable() throws -> OpaquePointer {
        guard let handle else { throw PostgresError(state: nil, text: "the connection is closed") }
        return handle
    }

    /// - Returns: until when the server may take for the first result.
    private func flush() throws -> ContinuousClock.Instant {
        let deadline = ContinuousClock.now + patience
        while true {
            let state = PQflush(handle)
            if state == 0 { return deadline }
            guard state == 1 else { throw lost() }
            // The server may have to get rid of output before it reads on.
            let ready = try wait(for: Int16(POLLIN | POLLOUT), before: deadline)
            if ready & Int16(POLLIN) != 0, PQconsumeInput(handle) != 1 { throw lost() }
        }
    }

    /// - Parameter deadline: is moved, for each statement has its own time.
    private func nextResult(before deadline: inout ContinuousClock.Instant) throws -> PostgresResult? {
        while PQisBusy(handle) == 1 {
            _ = try wait(for: Int16(POLLIN), before: deadline)
            guard PQconsumeInput(handle) == 1 else { throw lost() }
        }
        guard let result = PQgetResult(handle) else { return nil }
        deadline = .now + patience
        return PostgresResult(result)
    }

    private func wait(for events: Int16, before deadline: ContinuousClock.Instant) throws -> Int16 {
        while true {
            let rest = deadline - ContinuousClock.now
            guard rest > .zero else {
                discard()
                throw PostgresError(state: nil, text: "no answer within \(patience.components.seconds) s")
            }
            let milliseconds = rest.components.seconds * 1000 + rest.components.attoseconds / 1_000_000_000_000_000
            var descriptor = pollfd(fd: PQsocket(handle), events: events, revents: 0)
            let ready = poll(&descriptor, 1, Int32(clamping: milliseconds + 1))
            if ready > 0 { return descriptor.revents }
            if ready < 0 && errno != EINTR { throw lost() }
        }
    }

    /// After this nothing can be read any more; what the server made of the last command is not known.
    private func lost() -> PostgresError {
        let text = handle.map { Self.oneLine(String(cString: PQerrorMessage($0))) } ?? ""
        discard()
        return PostgresError(state: nil, text: text.isEmpty ? "the connection broke" : text)
    }

    private func discard() {
        PQfinish(handle)
        handle = nil
        sent = 0
    }

    private static func oneLine(_ text: String, by separator: String = " ") -> String {
        text.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix("\t") }.joined(separator: separator)
    }
}

/// The result of one statement.
final class PostgresResult {
    private let handle: OpaquePointer

    fileprivate init(_ handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        PQclear(handle)
    }

    var rowCount: Int { Int(PQntuples(handle)) }

    /// How many rows the statement inserted, updated or deleted.
    var affectedRows: Int { Int(String(cString: PQcmdTuples(handle))) ?? 0 }

    var columns: [String] { (0..<PQnfields(handle)).map { String(cString: PQfname(handle, $0)) } }

    func text(_ row: Int, _ column: Int) -> String? {
        guard PQgetisnull(handle, Int32(row), Int32(column)) == 0 else { return nil }
        let start = UnsafeRawPointer(PQgetvalue(handle, Int32(row), Int32(column))!)
        let length = Int(PQgetlength(handle, Int32(row), Int32(column)))
        return String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
    }

    /// A `bigint` of a binary result.
    func integer(_ row: Int, _ column: Int) -> Int64 {
        precondition(PQgetlength(handle, Int32(row), Int32(column)) == 8)
        let start = UnsafeRawPointer(PQgetvalue(handle, Int32(row), Int32(column))!)
        return Int64(bigEndian: start.loadUnaligned(as: Int64.self))
    }

    /// A `boolean` of a binary result.
    func boolean(_ row: Int, _ column: Int) -> Bool { PQgetvalue(handle, Int32(row), Int32(column))!.pointee != 0 }

    fileprivate var endsPipeline: Bool { PQresultStatus(handle) == PGRES_PIPELINE_SYNC }

    fileprivate var error: PostgresError? {
        switch PQresultStatus(handle) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_EMPTY_QUERY, PGRES_PIPELINE_SYNC: return nil
        default: break
        }
        func field(_ code: Unicode.Scalar) -> String? {
            PQresultErrorField(handle, Int32(code.value)).map { String(cString: $0) }
        }
        // 'C' and 'M' are PG_DIAG_SQLSTATE and PG_DIAG_MESSAGE_PRIMARY; the detail may quote whole rows, so it stays out.
        return PostgresError(state: field("C"), text: String((field("M") ?? "unknown error").prefix(500)))
    }
}
