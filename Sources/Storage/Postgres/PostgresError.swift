/// What libpq or the server reported.
struct PostgresError: Error {
    /// The five characters of PostgreSQL's appendix A; `nil` where the connection itself failed.
    var state: String?
    var text: String

    /// Two transactions stood in each other's way, and this one was chosen to give way: it may simply run again.
    var isConflict: Bool { state == "40001" || state == "40P01" }

    /// Whether only another connection can do better, perhaps to another server: this one is read-only, a standby, which
    /// says 0A000 of a transaction that is to write, or forgot its prepared statements, as behind a pooler.
    var isOfConnection: Bool { state.map(Self.isForAnotherConnection) ?? false }

    private static func isForAnotherConnection(_ state: String) -> Bool {
        ["25006", "0A000", "26000", "42P05"].contains(state)
    }

    var storeError: StoreError {
        guard let state else { return StoreError(connectionCode, "Postgres: \(text)\(connectionAdvice)") }
        return StoreError(Self.code(of: state), "Postgres: \(text) (\(state))", state: state)
    }

    private static func code(of state: String) -> StoreError.Code {
        switch state {
        case "55P03": .lockTimeout
        // Also a column of another type, a key or a function that is gone: a dump that is only half restored.
        case "42P01", "42703", "42704", "42804", "42883", "42P10", "3D000", "3F000": .notSetUp
        case "42501": .permission
        case "25P03", "25P04", "57014": .unavailable
        case _ where isForAnotherConnection(state): .unavailable
        // Limits such as the size of an indexed value depend on the row.
        case "54000": .badData
        default:
            switch state.prefix(2) {
            case "22", "23": .badData
            case "28": .permission
            case "08", "40", "53", "57", "58": .unavailable
            default: .internal
            }
        }
    }

    /// libpq has no code for a refused connection, only the server's text.
    private var connectionCode: StoreError.Code {
        if text.contains("authentication failed") || text.contains("no pg_hba.conf entry")
            || text.contains("no password supplied") || text.contains("FATAL:  role ")
        {
            return .permission
        }
        if text.contains("FATAL:  database "), text.contains("does not exist") { return .notSetUp }
        return .unavailable
    }

    private var connectionAdvice: String {
        switch connectionCode {
        case .notSetUp: "; make it with 'createdb', then run 'chaffinch setup'"
        case .permission: "; store.url and store.setup_url name the user and the password"
        default: ""
        }
    }
}
