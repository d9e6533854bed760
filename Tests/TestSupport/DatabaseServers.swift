import Foundation

/// Where tests find a Postgres server: `scripts/test` starts one and sets the variables.
package enum DatabaseServers {
    private static let variable = "CHAFFINCH_TEST_DATABASE_URL"

    /// `postgres://…` of a user that may create schemas.
    package static var postgresURL: String? {
        ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether tests that need a server must run: then a missing one is a failure and no reason to skip.
    package static var areRequired: Bool {
        ProcessInfo.processInfo.environment["CHAFFINCH_TEST_REQUIRE_SERVERS"] == "1"
    }

    /// Whether tests that need Postgres should be tried.
    package static var runsPostgresTests: Bool { postgresURL != nil || areRequired }

    package static let missingPostgres = "needs a Postgres server; set \(variable), as scripts/test does"

    /// A URL whose connections see one schema only, so that tests on one server do not meet.
    package static func url(_ url: String, schema: String) -> String {
        url + (url.contains("?") ? "&" : "?") + "options=-csearch_path%3D\(schema)"
    }
}
