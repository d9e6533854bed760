/// A request as a simulator sees it.
package struct APIRequest: Sendable {
    package var method = "GET"
    /// Without the query.
    package var path: String
    package var parameters: [(name: String, value: String)] = []
    package var authorization: String?
    package var userAgent: String?
    package var contentType: String?
    /// The host and port the client asked for.
    package var host = ""
    package var body: [UInt8] = []

    package init(path: String) {
        self.path = path
    }
}
