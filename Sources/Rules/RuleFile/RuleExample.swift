internal import Model
internal import PipelineFile

/// A text a rule file gives, and what the file must make of it.
struct RuleExample {
    /// From 1, in the order of the file.
    var number: Int
    var node: YAMLNode
    /// For embeds, their text as gates and other rules read it.
    var text: String
    /// The array of `embeds:`, as Discord would send it.
    var embeds: JSONDocument?
    var expectation: Expectation

    enum Expectation {
        case none
        case records([ExpectedRecord])
    }
}

/// What an example says of one record, by places in the record type.
struct ExpectedRecord {
    var fields: [ExpectedValue]
    var lists: [ExpectedList]

    struct ExpectedValue {
        var field: Int
        /// `nil` where the file says `null`: the field must be absent.
        var value: FieldValue?
    }

    struct ExpectedList {
        var list: Int
        var elements: [[ExpectedValue]]
    }
}
