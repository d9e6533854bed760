import Model

/// Turns the nodes of `pipeline.yaml` into a ``Pipeline``, section by section, and notes every mistake on the way: a
/// value that will not do counts as absent, so that one mistake does not hide the next.
struct PipelineDecoder {
    let folder: String
    let environment: [String: String]
    let resolvingSecrets: Bool
    let neededSecrets: Set<SecretKey>
    let readFile: (String) throws -> String

    var diagnostics = Diagnostics()
    var secrets: [String: String] = [:]
    var recordChecks: [String: [YAMLNode]] = [:]
    /// Which keys were asked for in maps of each shape, as `workers.*.backoff`: the editors' schema must agree.
    private(set) var keysByShape: [String: Set<String>] = [:]

    init(
        folder: String,
        environment: [String: String],
        resolvingSecrets: Bool,
        neededSecrets: Set<SecretKey> = SecretKey.all,
        readFile: @escaping (String) throws -> String
    ) {
        self.folder = folder
        self.environment = environment
        self.resolvingSecrets = resolvingSecrets
        self.neededSecrets = neededSecrets
        self.readFile = readFile
    }

    /// Whether a value that is missing is a mistake.
    func resolves(_ key: SecretKey) -> Bool { resolvingSecrets && neededSecrets.contains(key) }

    /// `nil` when anything is wrong; `diagnostics` then says what.
    mutating func decode(_ root: YAMLNode) -> Pipeline? {
        let root = substitute(root)
        guard var top = section(root, "the file", path: "", shape: "") else { return nil }
        let name = pipelineName(in: &top, of: root)
        let dataFolder = path("data", in: &top) ?? FilePath.absolute("data", in: folder)
        let isPipeline = Self.hasPipeline(root)
        let broker = broker(top.map.optional("broker"), isUsed: isPipeline)
        let (store, isSQLite) = store(top.map.optional("store"), dataFolder: dataFolder, isUsed: isPipeline)
        let channelsNode = top.map.optional("channels")
        let discord = discord(top.map.optional("discord"), channels: channelsNode)
        let channels = channels(channelsNode)
        let records = records(top.map.optional("records"))
        let parsers = path("parsers", in: &top)
        let openai = openai(top.map.optional("openai"), isUsed: isPipeline)
        let workers = workers(top.map.optional("workers"), hasPipeline: isPipeline, isSQLite: isSQLite)
        let supervisor = supervisor(top.map.optional("supervisor"))
        let console = console(top.map.optional("console"))
        finish(top)
        warnOfWhatIsNotYetDone(root, poll: discord.poll)
        warnOfPollingTooOften(root, discord, channels: channels.count)
        guard !diagnostics.hasErrors else { return nil }
        return Pipeline(
            name: name,
            folder: folder,
            dataFolder: dataFolder,
            broker: broker,
            store: store,
            discord: discord,
            channels: channels,
            records: records,
            parsersFolder: parsers,
            openai: openai,
            workers: workers,
            supervisor: supervisor,
            console: console
        )
    }

    private mutating func substitute(_ root: YAMLNode) -> YAMLNode {
        var substitution = Substitution(environment: environment)
        let result = substitution.substitute(root)
        diagnostics.append(substitution.diagnostics)
        return result
    }

    private static func hasPipeline(_ root: YAMLNode) -> Bool {
        ["channels", "records", "parsers"].contains { root.value($0).map { !$0.isNull } ?? false }
    }

    /// Messages, tables and queues carry it, so with a pipeline it is chosen, not guessed from a folder.
    private mutating func pipelineName(in top: inout Section, of root: YAMLNode) -> String {
        if Self.hasPipeline(root) {
            guard let node = top.map.required("name", &diagnostics) else { return "" }
            return name(node, "name") ?? ""
        }
        if let name = name("name", in: &top) { return name }
        let fallback = FilePath.lastComponent(folder).lowercased().filter { Self.isNameCharacter($0) }
        return fallback.isEmpty ? "chaffinch" : fallback
    }

    // MARK: Maps

    /// A map while its keys are taken, and where it stands.
    struct Section {
        var map: MappingReader
        /// As diagnostics name it: `workers.parse`.
        let path: String
        /// The path with `*` for chosen names: `workers.*`.
        let shape: String

        func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    }

    mutating func section(_ node: YAMLNode?, _ what: String, path: String, shape: String) -> Section? {
        guard let node, let map = MappingReader(node, what: what, diagnostics: &diagnostics) else { return nil }
        return Section(map: map, path: path, shape: shape)
    }

    /// A section of the top level, such as `broker`.
    mutating func section(_ node: YAMLNode?, _ key: String) -> Section? {
        section(node, "'\(key)'", path: key, shape: key)
    }

    mutating func finish(_ section: Section) {
        section.map.finish(&diagnostics)
        keysByShape[section.shape, default: []].formUnion(section.map.known)
    }
}
