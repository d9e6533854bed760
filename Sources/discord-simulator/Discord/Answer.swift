import Model

/// What the simulator says to one request, before it becomes HTTP.
struct Answer: Sendable, Equatable {
    /// How the answer travels; anything but `whole` is a fault that was asked for.
    enum Delivery: Sendable, Equatable {
        case whole
        /// The `Content-Length` promises so many bytes more than are sent before the connection closes.
        case closedEarly(missing: Int)
        /// No answer for so long, then the connection closes.
        case hang(microseconds: Int64)
        /// The connection is reset without a byte.
        case reset
    }

    struct Header: Sendable, Equatable {
        var name: String
        var value: String
    }

    var status: Int
    var headers: [Header] = []
    var body: [UInt8]
    var delivery = Delivery.whole
    /// Under which name it is counted; the status, unless a fault kept the status from arriving.
    var countedAs: String

    init(status: Int, json: [UInt8]) {
        self.status = status
        body = json
        countedAs = String(status)
        // Discord names no charset, and clients compare the whole value.
        headers = [Header(name: "Content-Type", value: "application/json")]
    }

    /// A page from the edge network in front of Discord, which knows nothing of JSON.
    init(status: Int, html title: String) {
        self.status = status
        body = Array(
            """
            <!DOCTYPE html>
            <html lang="en"><head><title>\(title)</title></head>
            <body><h1>\(title)</h1><p>Ray ID: 8f3a5b2c4d6e7f90</p></body></html>

            """.utf8
        )
        countedAs = String(status)
        headers = [Header(name: "Content-Type", value: "text/html; charset=UTF-8")]
    }

    /// JSON made by a writer.
    init(status: Int = 200, _ write: (inout JSONWriter) -> Void) {
        var writer = JSONWriter(reserving: 256)
        write(&writer)
        self.init(status: status, json: writer.bytes)
    }

    mutating func add(_ name: String, _ value: String) {
        headers.append(Header(name: name, value: value))
    }
}

// The errors as Discord words them; its API reference lists the codes under "JSON Error Codes".
extension Answer {
    static let unauthorized = error(401, code: 0, "401: Unauthorized")
    static let noSuchRoute = error(404, code: 0, "404: Not Found")
    static let methodNotAllowed = error(405, code: 0, "405: Method Not Allowed")
    static let internalServerError = error(500, code: 0, "500: Internal Server Error")
    static let unknownChannel = error(404, code: 10003, "Unknown Channel")
    static let unknownGuild = error(404, code: 10004, "Unknown Guild")
    static let unknownMember = error(404, code: 10007, "Unknown Member")
    static let unknownMessage = error(404, code: 10008, "Unknown Message")
    static let missingAccess = error(403, code: 50001, "Missing Access")
    static let invalidVersion = error(400, code: 50041, "Invalid API version provided")

    static func error(_ status: Int, code: Int, _ message: String) -> Answer {
        Answer(status: status) { writer in
            writer.object { writer in
                writer.key("message")
                writer.value(message)
                writer.key("code")
                writer.value(code)
            }
        }
    }

    /// 400 with code 50035 and, for each field, what is wrong with it.
    static func invalidForm(_ problems: [FormProblem]) -> Answer {
        Answer(status: 400) { writer in
            writer.object { writer in
                writer.key("message")
                writer.value("Invalid Form Body")
                writer.key("code")
                writer.value(50035)
                writer.key("errors")
                writer.object { writer in
                    for problem in problems { problem.write(to: &writer) }
                }
            }
        }
    }
}

/// What is wrong with one parameter of a request.
struct FormProblem: Sendable, Equatable {
    var field: String
    var code: String
    var message: String

    static func notASnowflake(_ field: String, _ text: String) -> FormProblem {
        FormProblem(field: field, code: "NUMBER_TYPE_COERCE", message: "Value \"\(text)\" is not snowflake.")
    }

    func write(to writer: inout JSONWriter) {
        writer.key(field)
        writer.object { writer in
            writer.key("_errors")
            writer.array { writer in
                writer.object { writer in
                    writer.key("code")
                    writer.value(code)
                    writer.key("message")
                    writer.value(message)
                }
            }
        }
    }
}
