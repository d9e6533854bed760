internal import Model

/// What is known of reloads, for the status.
struct ReloadRecord: Sendable, Equatable {
    enum Result: String, Sendable {
        /// Every child works by what the files say, save for ``problems``.
        case applied
        /// The files say what they said before.
        case unchanged
        /// Nothing was changed, and ``problems`` say why.
        case refused
    }

    /// The number of the last reload that is over.
    var finished = 0
    var isUnderWay = false
    var result: Result?
    var at: Timestamp?
    /// What the files say that is not so, each with its place: mistakes, and what could not be brought about.
    var problems: [String] = []
    /// `add parse/2`, `reload store`, and the like.
    var changes: [String] = []

    func write(to writer: inout JSONWriter) {
        writer.key("reload")
        writer.object { writer in
            writer.key("finished")
            writer.value(finished)
            writer.key("under_way")
            writer.value(isUnderWay)
            writer.key("result")
            writer.value(result?.rawValue)
            writer.key("at")
            writer.value(at?.iso8601)
            for (name, lines) in [("problems", problems), ("changes", changes)] {
                writer.key(name)
                writer.array { writer in
                    for line in lines { writer.value(line) }
                }
            }
        }
    }
}
