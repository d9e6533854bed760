import CPostgreSQL
import Glibc

/// One connection of libpq. Not for several threads; its calls block, but never past their deadline.
final class PostgresConnection {
    /// How long one result may take. Statements are cancelled by the server a little earlier.
    static let ordinaryPatience: Duration = .seconds(30)

    private var handle: OpaquePointer?
    private var prepared: [String: String] = [:]
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
            let text = handle.map { Self.oneLine(String(cString: PQerrorMessage($0))) } ?? "out of memory"
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
        _ = try result(of: PQsendQuery(try usable(), sql))
    }

    /// Runs one statement whose parameters travel as text, their types inferred by the server.
    func query(_ sql: String, _ parameters: [String?]) throws -> PostgresResult {
        let handle = try usable()
        let copies = parameters.map { $0.flatMap { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        let values = copies.map { UnsafePointer<CChar>($0) }
        return try result(of: PQsendQueryParams(handle, sql, Int32(values.count), nil, values, nil, nil, 0))
    }

    /// Runs one statement whose parameters are binary arrays, preparing it the first time.
    func query(_ sql: String, _ arrays: [BinaryArray]) throws -> PostgresResult {
        let name = try prepare(sql)
        let handle = try usable()
        let values: [UnsafePointer<CChar>?] = arrays.map(\.parameter)
        let lengths = arrays.map { Int32($0.count) }
        let formats = arrays.map { _ in Int32(1) }
        return try withExtendedLifetime(arrays) {
            try result(of: PQsendQueryPrepared(handle, name, Int32(values.count), values, lengths, formats, 0))
        }
    }

    private func prepare(_ sql: String) throws -> String {
        if let name = prepared[sql] { return name }
        let name = "s\(prepared.count)"
        _ = try result(of: PQsendPrepare(try usable(), name, sql, 0, nil))
        prepared[sql] = name
        return name
    }

    private func usable() throws -> OpaquePointer {
        guard let handle else { throw PostgresError(state: nil, text: "the connection is closed") }
        return handle
    }

    /// Waits for everything the last command returns; the last result counts.
    private func result(of sent: Int32) throws -> PostgresResult {
        guard sent == 1 else { throw lost() }
        let deadline = ContinuousClock.now + patience
        try flush(before: deadline)
        var last: PostgresResult?
        var failure: PostgresError?
        while let next = try nextResult(before: deadline) {
            if let error = next.error, failure == nil { failure = error }
            last = next
        }
        if let failure { throw failure }
        guard let last else { throw lost() }
        return last
    }

    private func flush(before deadline: ContinuousClock.Instant) throws {
        while true {
            let state = PQflush(handle)
            if state == 0 { return }
            guard state == 1 else { throw lost() }
            // The server may have to get rid of output before it reads on.
            let ready = try wait(for: Int16(POLLIN | POLLOUT), before: deadline)
            if ready & Int16(POLLIN) != 0, PQconsumeInput(handle) != 1 { throw lost() }
        }
    }

    private func nextResult(before deadline: ContinuousClock.Instant) throws -> PostgresResult? {
        while PQisBusy(handle) == 1 {
            _ = try wait(for: Int16(POLLIN), before: deadline)
            guard PQconsumeInput(handle) == 1 else { throw lost() }
        }
        return PQgetResult(handle).map(PostgresResult.init)
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
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix("\t") }.joined(separator: " ")
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

    fileprivate var error: PostgresError? {
        switch PQresultStatus(handle) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_EMPTY_QUERY: return nil
        default: break
        }
        func field(_ code: Unicode.Scalar) -> String? {
            PQresultErrorField(handle, Int32(code.value)).map { String(cString: $0) }
        }
        // 'C' and 'M' are PG_DIAG_SQLSTATE and PG_DIAG_MESSAGE_PRIMARY; the detail may quote whole rows, so it stays out.
        return PostgresError(state: field("C"), text: String((field("M") ?? "unknown error").prefix(500)))
    }
}
