import Model
import SimulatorKit

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
