package import Model

/// A rule file of the last resort: what to ask of a language model, and how strictly to read its answer.
package struct LastResortRule: Sendable {
    package let id: String
    /// The content hash stored with every record.
    package let version: String
    package let status: RuleStatus
    package let record: RecordType
    let file: String
    let priority: Int
    let channels: ChannelFilter
    let input: RuleInput
    let normalization: Normalization
    let gate: LiteralGate?
    /// By the field's place in the record type.
    let fields: [Slot]
    /// By the list's place in the record type, then by the field's.
    let lists: [[Slot]]
    /// The file's own, then the record type's.
    let checks: [Expression]
    /// The system text: the same for every message, so that servers can keep its prefix.
    package let system: String
    /// The JSON Schema of an answer, in the strict subset.
    package let schema: [UInt8]
    /// Of all that is the same for every message.
    let promptDigest: Digest

    /// Where a field's value comes from.
    enum Slot: Sendable {
        /// `value:` of the file. The model is not asked for it.
        case constant(FieldValue)
        /// The answer's quote, read by this.
        case asked(ValueReader)

        var reader: ValueReader? {
            if case .asked(let reader) = self { reader } else { nil }
        }
    }

    init(
        head: RuleHead,
        file: String,
        version: String,
        instructions: String,
        fields: [Slot],
        lists: [[Slot]],
        recordChecks: [Expression]
    ) {
        id = head.id
        self.version = version
        status = head.status
        record = head.record
        self.file = file
        priority = head.priority
        channels = head.channels
        input = head.input
        normalization = head.normalization
        gate = head.gate
        self.fields = fields
        self.lists = lists
        checks = head.checks + recordChecks
        let shape = AnswerShape(record: head.record, fields: fields, lists: lists)
        system = QuestionText.system(shape, instructions: instructions)
        schema = shape.schema
        var digest = Digest()
        digest.add(system.utf8)
        digest.add(schema)
        promptDigest = digest
    }

    var summary: ParserSummary {
        ParserSummary(
            id: id,
            record: record.name,
            priority: priority,
            status: status,
            engine: .openai,
            file: file,
            version: version,
            gate: gate.map { .given($0.literals) } ?? .none
        )
    }
}

/// FNV-1a with 128 bits, by which texts that were asked before are found again. Each part is closed by its length, so
/// that no two lists of parts read alike. It guards against nothing: an answer that was found is judged anew.
///
/// Source: draft-eastlake-fnv, "The FNV Non-Cryptographic Hash Algorithm".
struct Digest: Sendable {
    private var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
    private static let prime: UInt128 = 0x0000_0000_0100_0000_0000_0000_0000_013b

    mutating func add(_ part: some Sequence<UInt8>) {
        var count: UInt64 = 0
        for byte in part {
            hash = (hash ^ UInt128(byte)) &* Self.prime
            count += 1
        }
        for shift in stride(from: 0, to: 64, by: 8) {
            hash = (hash ^ UInt128((count >> UInt64(shift)) & 0xff)) &* Self.prime
        }
    }

    /// 32 hexadecimal digits.
    var text: String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}
