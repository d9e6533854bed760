import Model

/// The parameters of `GET /channels/{id}/messages`.
struct MessageQuery: Sendable, Equatable {
    /// Which messages are meant. The answer is newest first for all of them.
    enum Anchor: Sendable, Equatable {
        case latest
        /// The newest of the messages below an id.
        case before(UInt64)
        /// The oldest of the messages above an id.
        case after(UInt64)
        /// Half of the limit on each side of an id, and the message itself.
        case around(UInt64)
    }

    var anchor = Anchor.latest
    var limit = 50

    init(anchor: Anchor = .latest, limit: Int = 50) {
        self.anchor = anchor
        self.limit = limit
    }

    /// Reads the query of a URL. Parameters that Discord does not know are ignored, as Discord does.
    ///
    /// - Throws: ``FormError`` naming every parameter that is wrong.
    init(parameters: [(name: String, value: String)]) throws(FormError) {
        var problems: [FormProblem] = []
        var anchors: [String] = []
        for (name, value) in parameters {
            switch name {
            case "before", "after", "around":
                anchors.append(name)
                guard let id = Snowflake(value)?.rawValue else {
                    problems.append(.notASnowflake(name, value))
                    continue
                }
                anchor = name == "before" ? .before(id) : name == "after" ? .after(id) : .around(id)
            case "limit":
                do {
                    limit = try Self.limit(value)
                } catch {
                    problems.append(error.problem)
                }
            default: continue
            }
        }
        if anchors.count > 1 {
            problems = anchors.map {
                FormProblem(
                    field: $0,
                    code: "MUTUALLY_EXCLUSIVE",
                    message: "Only one of before, after and around may be used."
                )
            }
        }
        if !problems.isEmpty { throw FormError(problems: problems) }
    }

    private struct LimitError: Error { var problem: FormProblem }

    private static func limit(_ text: String) throws(LimitError) -> Int {
        func refuse(_ code: String, _ message: String) -> LimitError {
            LimitError(problem: FormProblem(field: "limit", code: code, message: message))
        }
        guard let value = Int(text) else { throw refuse("NUMBER_TYPE_COERCE", "Value \"\(text)\" is not int.") }
        if value < 1 { throw refuse("NUMBER_TYPE_MIN", "int value should be greater than or equal to 1.") }
        if value > 100 { throw refuse("NUMBER_TYPE_MAX", "int value should be less than or equal to 100.") }
        return value
    }
}

/// Parameters that Discord refuses with 400 and code 50035.
struct FormError: Error, Equatable {
    var problems: [FormProblem]
}
