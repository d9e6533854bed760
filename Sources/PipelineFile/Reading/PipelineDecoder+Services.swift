/// The sections about what Chaffinch talks to: `broker`, `store`, `openai`, `console`, and the `supervisor` itself.
extension PipelineDecoder {
    mutating func broker(_ node: YAMLNode?, isUsed: Bool) -> Pipeline.Broker {
        let managed = SecretReference(variable: SecretKey.brokerURL.variable, source: .template("managed"))
        var broker = Pipeline.Broker(isManaged: true, url: managed, prefix: "chaffinch")
        guard var section = section(node, "broker") else { return broker }
        if let url = secret(.brokerURL, in: &section, isUsed: isUsed) {
            broker.url = url.reference
            broker.isManaged = url.value == "managed" || url.value == ""
        }
        broker.prefix = name("prefix", in: &section) ?? broker.prefix
        finish(section)
        return broker
    }

    /// Also whether the database is SQLite, as far as that is known.
    mutating func store(_ node: YAMLNode?, dataFolder: String, isUsed: Bool) -> (Pipeline.Store, isSQLite: Bool) {
        let local = "sqlite:\(dataFolder)/chaffinch.db"
        var store = Pipeline.Store(
            url: SecretReference(variable: SecretKey.storeURL.variable, source: .template(local)),
            setupURL: nil,
            fetchURL: nil,
            messages: .all,
            retentionDays: 0
        )
        var value: String? = local
        if var section = section(node, "store") {
            if let url = secret(.storeURL, in: &section, isUsed: isUsed), url.value != "" {
                store.url = url.reference
                value = url.value
            }
            store.setupURL = secret(.storeSetupURL, in: &section, isUsed: isUsed)?.reference
            store.fetchURL = secret(.storeFetchURL, in: &section, isUsed: isUsed)?.reference
            store.messages = choice("messages", in: &section) ?? store.messages
            store.retentionDays = integer("retention", in: &section, 0...36_500) ?? store.retentionDays
            finish(section)
        }
        if resolves(.storeURL), isUsed, secrets[store.url.variable] == nil { secrets[store.url.variable] = value }
        return (store, value?.hasPrefix("sqlite:") ?? false)
    }

    mutating func openai(_ node: YAMLNode?, isUsed: Bool) -> Pipeline.OpenAI {
        var openai = Pipeline.OpenAI(
            apiKey: nil,
            baseURL: "https://api.openai.com/v1",
            model: "gpt-4.1-mini",
            concurrency: 8,
            dailyTokens: 2_000_000,
            messageTokens: 16_000,
            channelTokens: nil,
            onBudget: .park
        )
        guard var section = section(node, "openai") else { return openai }
        if let key = secret(.openAIKey, in: &section, isUsed: isUsed) {
            openai.apiKey = key.reference
        }
        openai.baseURL = httpURL("base_url", in: &section) ?? openai.baseURL
        openai.model = text("model", in: &section) ?? openai.model
        openai.concurrency = integer("concurrency", in: &section, 1...256) ?? openai.concurrency
        openai.dailyTokens = integer("daily_tokens", in: &section, 0...1_000_000_000_000) ?? openai.dailyTokens
        openai.messageTokens = integer("message_tokens", in: &section, 1_000...1_000_000) ?? openai.messageTokens
        openai.channelTokens = integer("channel_tokens", in: &section, 0...1_000_000_000_000) ?? openai.channelTokens
        openai.onBudget = choice("on_budget", in: &section) ?? openai.onBudget
        finish(section)
        return openai
    }

    mutating func supervisor(_ node: YAMLNode?) -> Pipeline.Supervisor {
        var supervisor = Pipeline.Supervisor(stopTimeout: .seconds(8), logLevel: .info, logFormat: .auto)
        guard var section = section(node, "supervisor") else { return supervisor }
        let stop = duration("stop_timeout", in: &section, .milliseconds(100) ... .seconds(3600))
        supervisor.stopTimeout = stop ?? supervisor.stopTimeout
        supervisor.logLevel = choice("log_level", in: &section) ?? supervisor.logLevel
        supervisor.logFormat = choice("log_format", in: &section) ?? supervisor.logFormat
        finish(section)
        return supervisor
    }

    mutating func console(_ node: YAMLNode?) -> Pipeline.Console {
        var console = Pipeline.Console(listenHost: "127.0.0.1", listenPort: 8080, token: nil)
        guard var section = section(node, "console") else { return console }
        let listen = section.map.optional("listen")
        if let listen {
            if let (host, port) = listen.scalar.flatMap(Self.hostAndPort) {
                console.listenHost = host
                console.listenPort = port
            } else {
                mustBe("host:port, such as 127.0.0.1:8080 or [::1]:8080", listen, "console.listen")
            }
        }
        let before = diagnostics.errors.count
        let token = secret(.consoleToken, in: &section, isUsed: true)
        console.token = token?.reference
        let hasToken = token.map { !resolves(.consoleToken) || !($0.value ?? "").isEmpty } ?? false
        if let listen, !Self.isLoopback(console.listenHost), !hasToken, diagnostics.errors.count == before {
            diagnostics.error(
                "'console.listen' is reachable from other machines, which needs a 'console.token'",
                at: listen
            )
        }
        finish(section)
        return console
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.split(separator: ".").count == 4)
    }
}
