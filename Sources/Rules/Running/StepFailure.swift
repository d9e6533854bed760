/// The step at which a rule that had taken a text failed, as `reason` says it.
struct StepFailure: Error, Equatable, CustomStringConvertible {
    /// A field, a list's field, `cover` or `check failed`.
    var step: String
    var detail: String

    var description: String { "\(step): \(detail)" }
}

/// What a rule made of a text.
enum Verdict {
    /// A required field is not in the text, so the text is not for this rule.
    case notTaken
    /// The rule took its required fields, and a later step failed.
    case failed(StepFailure)
    /// A pattern ran into a limit: what the text holds is not known.
    case abandoned(step: String)
    /// At least one.
    case records([RecordDraft])
}
