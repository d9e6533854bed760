internal import Model

/// What a rule file is compiled for beside its own text.
struct RuleContext: Equatable {
    var records: [RecordType]
    var channels: [ChannelName]
}
