internal import Model
internal import PipelineFile

/// How far a rule file counts.
package enum RuleStatus: String, Sendable, CaseIterable {
    case live
    /// Runs and is counted, writes nothing.
    case shadow
    case off
}

/// Which text of a message a rule reads.
package enum RuleInput: String, Sendable, CaseIterable {
    /// The content, or the embeds' text when there is none.
    case text
    case content
    case embeds

    func text(of message: Message) -> String {
        switch self {
        case .text: message.text
        case .content: message.content
        case .embeds: message.embedText ?? ""
        }
    }
}

/// The means by which a rule reads a text.
package enum RuleEngine: String, Sendable, CaseIterable {
    case regex, pairs, template, json, embed, openai

    /// The key by which an entry says where its value stands; `nil` where that is the whole text.
    var originKey: String? {
        switch self {
        case .pairs: "key"
        case .json, .embed: "path"
        case .regex, .template, .openai: nil
        }
    }

    /// Whether it reads a text from end to end, so that `split` and `cover` mean something.
    var readsText: Bool { self == .regex || self == .pairs || self == .template }
}

/// What every rule file says, whatever its engine.
struct RuleHead {
    var id: String
    var idNode: YAMLNode
    var record: RecordType
    var engine: RuleEngine
    var status: RuleStatus
    var priority: Int
    var channels: ChannelFilter
    var input: RuleInput
    var normalization: Normalization
    var gate: LiteralGate?
    var checks: [Expression]
    var examples: [RuleExample]

    /// What a file without `priority:` gets.
    static let defaultPriority = 100
}
