internal import Model

/// Counts what one rule does. Most of it is misses, so those cost an addition and no more.
struct ParserMeter {
    private let type: RecordType
    private var tried = 0
    private var parsed = 0
    /// By the field's place in the record type.
    private var missingFields: [Int]
    private var missingTemplate = 0
    private var missingMaterial = 0
    private var failures: [String: Int] = [:]
    private var limits: [String: Int] = [:]
    private var timed = 0
    private var nanoseconds = 0
    private var shadow: ShadowCounts?

    init(_ head: RuleHead) {
        type = head.record
        missingFields = Array(repeating: 0, count: head.record.fields.count)
        shadow = head.status == .shadow ? ShadowCounts() : nil
    }

    mutating func add(_ verdict: Verdict) {
        tried += 1
        switch verdict {
        case .notTaken(.field(let index)): missingFields[index] += 1
        case .notTaken(.template): missingTemplate += 1
        case .notTaken(.material): missingMaterial += 1
        case .failed(let failure): failures[failure.step, default: 0] += 1
        case .abandoned(let step): limits[step, default: 0] += 1
        case .records: parsed += 1
        }
    }

    mutating func add(nanoseconds time: UInt64) {
        timed += 1
        nanoseconds += Int(time)
    }

    mutating func compare(_ verdict: Verdict, with decision: RuleSet.Decision, of message: Message) {
        var drafts: [RecordDraft] = []
        if case .records(let records) = verdict { drafts = records }
        guard case .taken(let parser, let live) = decision else {
            guard !drafts.isEmpty else { return }
            shadow?.onlyShadow += 1
            return note(message, nil, drafts)
        }
        let isSameType = parser.head.record.name == type.name
        guard !drafts.isEmpty else {
            guard isSameType else { return }
            shadow?.onlyLive += 1
            return note(message, (parser, live), [])
        }
        if isSameType, live.elementsEqual(drafts, by: { $0.hasSameValues(as: $1) }) {
            shadow?.same += 1
            return
        }
        shadow?.different += 1
        note(message, (parser, live), drafts)
    }

    private mutating func note(_ message: Message, _ live: (RuleParser, [RecordDraft])?, _ drafts: [RecordDraft]) {
        shadow?.note(
            ShadowDifference(
                messageID: message.id.description,
                channelID: message.channelID.description,
                liveParser: live?.0.head.id,
                live: live.map { Self.lines($0.1, $0.0.head.record) } ?? [],
                shadow: Self.lines(drafts, type)
            )
        )
    }

    private static func lines(_ drafts: [RecordDraft], _ type: RecordType) -> [String] {
        let outline = RecordOutline(type: type)
        return drafts.enumerated().flatMap { outline.lines($1, number: $0 + 1, beside: []) }
    }

    var counts: ParserCounts {
        var counts = ParserCounts()
        counts.tried = tried
        counts.parsed = parsed
        for (index, count) in missingFields.enumerated() where count > 0 {
            counts.missing[Missing.field(index).name(in: type)] = count
        }
        if missingTemplate > 0 { counts.missing[Missing.template.name(in: type)] = missingTemplate }
        if missingMaterial > 0 { counts.missing[Missing.material.name(in: type)] = missingMaterial }
        counts.failures = failures
        counts.limits = limits
        counts.timed = timed
        counts.nanoseconds = nanoseconds
        counts.shadow = shadow
        return counts
    }
}
