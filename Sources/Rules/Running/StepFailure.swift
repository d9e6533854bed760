internal import Model

/// The step at which a rule that had taken a text failed, as `reason` says it.
struct StepFailure: Error, Equatable, CustomStringConvertible {
    /// A field, a list's field, `cover` or `check failed`.
    var step: String
    var detail: String

    var description: String { "\(step): \(detail)" }
}

/// For want of what a text, or its last piece, is none of a rule's.
enum Missing: Equatable {
    /// Nothing to read: no JSON, no embed, only white space.
    case material
    /// No template fits.
    case template
    /// A required field, by its place in the record type.
    case field(Int)

    /// As a sentence.
    func told(in type: RecordType) -> String {
        switch self {
        case .material: "there is nothing to read"
        case .template: "no template fits"
        case .field(let index): "'\(type.fields[index].name)' found nothing"
        }
    }

    func name(in type: RecordType) -> String {
        switch self {
        case .material: "nothing to read"
        case .template: "template"
        case .field(let index): type.fields[index].name
        }
    }
}

/// What a rule made of a text.
enum Verdict {
    /// What the rule requires is not there, so the text is not for it.
    case notTaken(Missing)
    /// The rule took its required fields, and a later step failed.
    case failed(StepFailure)
    /// A pattern ran into a limit: what the text holds is not known.
    case abandoned(step: String)
    /// At least one.
    case records([RecordDraft])
}
