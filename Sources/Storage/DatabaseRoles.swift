/// The roles of least privilege that `setup --roles` makes on Postgres, named for the pipeline, since roles belong to
/// the server and not to one database.
package struct DatabaseRoles: Sendable, Equatable {
    /// Owns the tables and may make new ones: for `store.setup_url`.
    package let owner: String
    /// Reads and writes messages, records and dead letters: for `store.url`.
    package let writer: String
    /// Moves the cursors of channels and sees nothing else: for `store.fetch_url`.
    package let fetcher: String
    /// Reads everything: for people and dashboards.
    package let reader: String

    package init(pipeline: String) {
        // Postgres cuts names after 63 bytes without an error.
        let prefix = String(decoding: pipeline.utf8.prefix(50), as: UTF8.self)
        owner = "\(prefix)_owner"
        writer = "\(prefix)_writer"
        fetcher = "\(prefix)_fetcher"
        reader = "\(prefix)_reader"
    }

    package var all: [String] { [owner, writer, fetcher, reader] }

    /// What those that do not own the tables may do with them.
    func grants(on tables: [String]) -> [String] {
        tables.flatMap { table in
            let written: Bool
            let moved: Bool
            switch table {
            case TableLayout.chaffinchSchema.name: (written, moved) = (false, false)
            case TableLayout.fetchCursors.name: (written, moved) = (false, true)
            default: (written, moved) = (true, false)
            }
            let isShared = table == TableLayout.chaffinchSchema.name
            var grants = ["GRANT SELECT ON \(quoted(table)) TO \(quoted(reader)), \(quoted(writer))"]
            if isShared || moved {
                grants.append(
                    "GRANT SELECT\(moved ? ", INSERT, UPDATE" : "") ON \(quoted(table)) TO \(quoted(fetcher))"
                )
            }
            if written { grants.append("GRANT INSERT, UPDATE, DELETE ON \(quoted(table)) TO \(quoted(writer))") }
            return grants
        }
    }
}

/// Roles are Postgres' matter alone. Errors are as of ``Store``.
package protocol RoleSetup {
    /// Makes the roles that are missing, without passwords, gives the tables to the owner and the others their rights.
    /// The tables must be set up.
    ///
    /// - Returns: what was done, such as `created role desk_writer`.
    /// - Throws: `permission`, with the SQL that an administrator would have to run; `internal` on SQLite, which has no
    ///   roles.
    func setUpRoles() async throws -> [String]
}

extension DatabaseStore {
    func setUpRoles() throws -> [String] {
        try engine.transaction(.setUp) { try $0.setUpRoles(schema) }
    }
}

extension SQLConnection {
    func setUpRoles(_ schema: StoreSchema) throws -> [String] {
        guard dialect == .postgres else {
            throw StoreError(
                .internal,
                "SQLite has no roles; the permissions of the file and its folder are all there is"
            )
        }
        let roles = DatabaseRoles(pipeline: schema.pipeline)
        let place = try query(
            """
            SELECT current_schema(), current_database(), rolsuper, rolsuper OR rolcreaterole FROM pg_roles
            WHERE rolname = current_user
            """,
            []
        ).rows.first
        guard let place, let namespace = place[0], let database = place[1] else {
            throw StoreError(.notSetUp, "the user has no schema to work in")
        }
        let missing = try missing(roles.all)
        var statements = missing.map { "CREATE ROLE \(quoted($0)) LOGIN" }
        // Who is no superuser may give tables only to a role of their own.
        if place[2] != "t" { statements.append("GRANT \(quoted(roles.owner)) TO CURRENT_USER") }
        statements += [
            "GRANT CONNECT ON DATABASE \(quoted(database)) TO \(quoted(roles.all))",
            "GRANT USAGE ON SCHEMA \(quoted(namespace)) TO \(quoted(roles.all))",
            "GRANT CREATE ON SCHEMA \(quoted(namespace)) TO \(quoted(roles.owner))",
        ]
        let tables = schema.tables.map(\.name)
        statements += roles.grants(on: tables)
        statements += tables.map { "ALTER TABLE \(quoted($0)) OWNER TO \(quoted(roles.owner))" }
        guard place[3] == "t" else {
            throw StoreError(
                .permission,
                (["this user may not make roles; have an administrator run:"] + statements.map { "  \($0);" })
                    .joined(separator: "\n")
            )
        }
        for statement in statements { try execute(statement) }
        return missing.map { "created role \($0)" }
    }

    /// What is new belongs to whoever set it up; the roles, where there are any, get their rights on it at once.
    func grantRoles(on tables: [String], of schema: StoreSchema) throws {
        let roles = DatabaseRoles(pipeline: schema.pipeline)
        guard dialect == .postgres, !tables.isEmpty, try missing(roles.all).isEmpty else { return }
        for statement in roles.grants(on: tables) { try execute(statement) }
    }

    private func missing(_ roles: [String]) throws -> [String] {
        let found = try query(
            "SELECT rolname FROM pg_roles WHERE rolname IN (\(dialect.elements(of: "$1")))",
            [dialect.value(roles)]
        )
        let known = Set(found.rows.compactMap { $0[0] })
        return roles.filter { !known.contains($0) }
    }
}
