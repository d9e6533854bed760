internal import Model
internal import PipelineFile

/// Reads one rule file into a rule that can run, and reports everything that is wrong with it.
struct RuleFileReader {
    let file: SourceFile
    let records: [RecordType]
    let channels: [ChannelName]
    /// The compiled `check:` of each record type, by its name.
    let recordChecks: [String: [Expression]]
    var diagnostics = Diagnostics()
    var patterns: PatternCompiler

    /// What a file came to.
    enum Result {
        case parser(RuleParser)
        /// A file of the last resort, which no text is tried on here.
        case lastResort(LastResortRule, RuleHead)
        /// Reported in ``diagnostics``.
        case broken(id: String?)
    }

    init(
        file: SourceFile,
        records: [RecordType],
        channels: [ChannelName],
        recordChecks: [String: [Expression]],
        limits: MatchLimits
    ) {
        self.file = file
        self.records = records
        self.channels = channels
        self.recordChecks = recordChecks
        patterns = PatternCompiler(limits: limits)
    }

    mutating func read() -> Result {
        guard let root = YAMLParser.parse(file, into: &diagnostics) else { return .broken(id: nil) }
        let id = root.value("parser")?.scalar
        guard var map = MappingReader(root, what: "a rule file", diagnostics: &diagnostics) else {
            return .broken(id: nil)
        }
        switch readEngine(&map) {
        case .openai:
            let lastResort = readLastResort(&map)
            guard let lastResort, !diagnostics.hasErrors else { return .broken(id: id) }
            return .lastResort(lastResort.0, lastResort.1)
        case let engine?:
            let parser = readParser(&map, engine: engine)
            guard let parser, !diagnostics.hasErrors else { return .broken(id: id) }
            return .parser(parser)
        case nil: return .broken(id: id)
        }
    }

    private mutating func readEngine(_ map: inout MappingReader) -> RuleEngine? {
        guard let node = map.optional("engine") else { return .regex }
        return node.choice("'engine'", &diagnostics)
    }

    // MARK: The engines

    private mutating func readParser(_ map: inout MappingReader, engine: RuleEngine) -> RuleParser? {
        let head = readHead(&map, engine: engine)
        if let node = map.optional("define") { patterns.define(node, &diagnostics) }
        let numbers = readDecimal(map.optional("decimal"))
        let templates = engine == .template ? map.required("template", &diagnostics) : nil
        let records = engine == .json ? map.optional("records").flatMap { readPath($0, engine: .json) } : nil
        let split = engine.readsText ? map.optional("split").flatMap { patterns.compile($0, &diagnostics) } : nil
        let fieldsNode = map.optional("fields")
        let listsNode = map.optional("lists")
        let cover = engine.readsText ? map.optional("cover").flatMap { patterns.compile($0, &diagnostics) } : nil
        map.finish(&diagnostics)
        guard let head else { return nil }
        var entries = EntryContext(engine: engine, record: head.record, numbers: numbers)
        if let templates { readTemplates(templates, fields: fieldsNode, &entries) }
        let fields = readFields(fieldsNode, entries, under: map.node)
        let lists = listsNode.map { readLists($0, entries) } ?? []
        guard !diagnostics.hasErrors else { return nil }
        return RuleParser(
            head: head,
            file: file.name,
            version: ContentHash.of(file.text),
            limits: patterns.limits,
            layout: layout(of: head, records: records),
            extractor: Extractor(type: head.record, shapes: entries.shapes, fields: fields, lists: lists),
            split: split,
            cover: cover,
            recordChecks: recordChecks[head.record.name] ?? []
        )
    }

    private func layout(of head: RuleHead, records: ValuePath?) -> RecordLayout {
        switch head.engine {
        case .regex, .template, .openai: .text
        case .pairs: .pairs
        case .json: .json(records: records)
        case .embed: .embeds(Normalizer(head.normalization))
        }
    }

    /// `decimal: comma`, of the file or of one entry.
    mutating func readDecimal(_ node: YAMLNode?, default standard: NumberReader = NumberReader()) -> NumberReader {
        guard let node, let mark: NumberReader.Mark = node.choice("'decimal'", &diagnostics) else { return standard }
        return NumberReader(mark: mark)
    }

    // MARK: The head

    mutating func readHead(_ map: inout MappingReader, engine: RuleEngine) -> RuleHead? {
        let id = readID(&map)
        let record = readRecord(&map)
        let status: RuleStatus? = map.optional("status").flatMap { $0.choice("'status'", &diagnostics) }
        let priority = map.optional("priority").flatMap { readPriority($0) }
        let filter = map.optional("channels").map { readChannels($0) }
        // Embeds are their own input, and JSON is read as it stands: its backslashes are no markdown.
        let input: RuleInput? =
            engine == .embed ? .embeds : map.optional("input").flatMap { $0.choice("'input'", &diagnostics) }
        let steps = engine == .json ? [] : map.optional("normalize").map { readNormalization($0) }
        let gate = map.optional("gate").flatMap { readGate($0) }
        let checksNode = map.optional("check")
        let examplesNode = map.optional("examples")
        guard let record else { return nil }
        let checks = checksNode.map {
            RuleCompiler.bind($0.texts("'check'", &diagnostics).map(\.node), to: record, &diagnostics)
        }
        return RuleHead(
            id: id?.text ?? "",
            idNode: id?.node ?? map.node,
            record: record,
            engine: engine,
            status: status ?? .live,
            priority: priority ?? RuleHead.defaultPriority,
            channels: filter ?? .all,
            input: input ?? .text,
            normalization: steps ?? .standard,
            gate: gate,
            checks: checks ?? [],
            examples: examplesNode.map { readExamples($0, of: record, engine: engine) } ?? []
        )
    }

    private mutating func readID(_ map: inout MappingReader) -> (text: String, node: YAMLNode)? {
        guard let node = map.required("parser", &diagnostics) else { return nil }
        let allowed = { (byte: UInt8) in byte.isASCIIWord || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") }
        guard let text = node.scalar, text.utf8.count <= 64, text.utf8.allSatisfy(allowed) else {
            diagnostics.error(
                "'parser' is an id of at most 64 letters, digits, '-', '_' and '.', not \(node.described)",
                at: node
            )
            return nil
        }
        return (text, node)
    }

    private mutating func readRecord(_ map: inout MappingReader) -> RecordType? {
        guard let node = map.required("record", &diagnostics) else { return nil }
        if let record = records.first(where: { $0.name == node.scalar }) { return record }
        let names = records.map(\.name)
        let help =
            if let near = node.scalar.flatMap({ nearest($0, in: names) }) {
                "did you mean '\(near)'?"
            } else {
                names.isEmpty ? "none is declared" : "declared are \(names.joined(separator: ", "))"
            }
        diagnostics.error("no record type \(node.described) in the pipeline; \(help)", at: node)
        return nil
    }

    private mutating func readPriority(_ node: YAMLNode) -> Int? {
        guard let value = node.integer, (-1_000_000...1_000_000).contains(value) else {
            diagnostics.error("'priority' is a whole number, lower first, not \(node.described)", at: node)
            return nil
        }
        return Int(value)
    }

    private mutating func readGate(_ node: YAMLNode) -> LiteralGate? {
        let literals = node.texts("'gate'", &diagnostics).map(\.text)
        if node.sequence?.isEmpty == true {
            diagnostics.error("an empty gate lets nothing through; leave it out to let everything through", at: node)
        }
        return LiteralGate(literals)
    }

    private mutating func readNormalization(_ node: YAMLNode) -> Normalization {
        if node.sequence?.isEmpty == true { return [] }
        var steps: Normalization = []
        for (text, node) in node.texts("'normalize'", &diagnostics) {
            guard let step = Normalization.names.first(where: { $0.name == text })?.step else {
                let known = Normalization.names.map(\.name)
                let help = nearest(text, in: known).map { "did you mean '\($0)'?" }
                diagnostics.error(
                    "'normalize' has no step '\(text)'; \(help ?? "it has \(known.joined(separator: ", "))")",
                    at: node
                )
                continue
            }
            steps.insert(step)
        }
        return steps
    }

    private mutating func readChannels(_ node: YAMLNode) -> ChannelFilter {
        var ids: Set<Snowflake> = []
        for (text, node) in node.texts("'channels'", &diagnostics) {
            if let id = Snowflake(text) {
                ids.insert(id)
                continue
            }
            let glob = Glob(text)
            let found = channels.filter { glob.matches($0.name) }
            ids.formUnion(found.map(\.id))
            guard found.isEmpty, !channels.isEmpty else { continue }
            if glob.isLiteral {
                let near = nearest(text, in: channels.map(\.name))
                diagnostics.error(
                    "no channel '\(text)' in the pipeline" + (near.map { "; did you mean '\($0)'?" } ?? ""),
                    at: node
                )
            } else {
                diagnostics.warning("no channel of the pipeline matches '\(text)'", at: node)
            }
        }
        return .only(ids)
    }
}
