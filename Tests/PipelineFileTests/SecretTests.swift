import Testing

@testable import PipelineFile

@Suite struct SecretTests {
    private static let channels = "channels: [{ name: vip, id: \"1315807571357208688\" }]\n"

    private func store(
        _ url: String,
        environment: [String: String] = [:],
        resolvingSecrets: Bool = true
    ) -> PipelineReading {
        reading(
            "name: desk\nparsers: parsers\nstore:\n  url: \(url)\n",
            environment: environment,
            resolvingSecrets: resolvingSecrets
        )
    }

    @Test(arguments: [
        ("sqlite:data/x.db", "sqlite:/desk/data/x.db"), ("sqlite:/var/x.db", "sqlite:/var/x.db"),
        ("sqlite:///var/x.db", "sqlite:/var/x.db"), ("${U:-sqlite:../x.db}", "sqlite:/x.db"),
        ("postgres://w@db/desk", "postgres://w@db/desk"), ("${U:-${V:-sqlite:v.db}}", "sqlite:/desk/v.db"),
        ("\"${U:-}\"", "sqlite:/desk/data/chaffinch.db"),
    ])
    func storeURLsAreResolved(url: String, value: String) {
        let reading = store(url)
        #expect(messages(reading.diagnostics).isEmpty)
        #expect(reading.secrets["CHAFFINCH_STORE_URL"] == value)
        #expect(reading.pipeline?.store.url.source != .literal)
    }

    @Test(arguments: ["sqlite:", "sqlite::memory:", "mysql://x", "data.db"])
    func otherDatabasesAreRefused(url: String) {
        #expect(store(url).diagnostics.errors.count == 1)
    }

    @Test(arguments: [
        ("postgres://u:p@db/x", true), ("postgres://db/x?password=p", true), ("${U:-postgres://u:p@db/x}", true),
        ("postgres://u:${P:-p}@db/x", true), ("postgres://u:${P}@db/x", false), ("postgres://u@db/x", false),
        ("${U:-postgres://db/x?password=}", false),
    ])
    func aPasswordInTheFileIsLiteralAndWarnedOf(url: String, isLiteral: Bool) {
        let reading = store(url, environment: ["P": "q"])
        #expect((reading.pipeline?.store.url.source == .literal) == isLiteral)
        #expect(reading.diagnostics.warnings.count == (isLiteral ? 1 : 0))
        #expect(reading.secrets["CHAFFINCH_STORE_URL"] != nil)
    }

    @Test(arguments: [
        ("managed", [:], true), ("${B:-managed}", [:], true), ("${B:-managed}", ["B": "amqp://x"], false),
        ("${B}", [:], false), ("amqp://x", [:], false), ("${B}", ["B": "managed"], true),
        ("\"${B:-}\"", [:], true),
    ])
    func aManagedBrokerIsDecidedByTheValue(url: String, environment: [String: String], isManaged: Bool) throws {
        let text = "name: desk\nparsers: parsers\nbroker:\n  url: \(url)\n"
        let pipeline = reading(text, environment: environment, resolvingSecrets: false).pipeline
        #expect(try #require(pipeline).broker.isManaged == isManaged)
        let secrets = reading(text, environment: environment).secrets
        #expect(secrets["CHAFFINCH_BROKER_URL"] == (isManaged ? nil : environment["B"] ?? (url == "${B}" ? nil : url)))
    }

    @Test(arguments: [
        ("abc", "abc"), ("Bot abc", "abc"), (" abc\n", "abc"), ("Bearer abc", nil as String?), ("mfa.abc", nil),
        ("a b", nil), ("", nil), ("Bot ", nil),
    ])
    func aTokenIsABots(value: String, token: String?) {
        let text = "name: desk\n\(Self.channels)discord: { token: \"${T}\" }\n"
        let reading = reading(text, environment: ["T": value])
        #expect(reading.secrets["CHAFFINCH_DISCORD_TOKEN"] == token)
        #expect(reading.diagnostics.errors.count == (token == nil ? 1 : 0))
        #expect(!messages(reading.diagnostics).contains { $0.contains("abc") })
    }

    @Test func aTokenIsNeededOnlyWhereSecretsAreResolved() throws {
        let text = "name: desk\n\(Self.channels)discord: { token: \"${T}\" }\n"
        #expect(reading(text).pipeline == nil)
        let pipeline = try #require(reading(text, resolvingSecrets: false).pipeline)
        #expect(pipeline.discord.token?.source == .template("${T}"))
        #expect(reading("name: desk\n\(Self.channels)").pipeline == nil)
        #expect(reading("name: desk\n\(Self.channels)", resolvingSecrets: false).pipeline != nil)
    }

    @Test func secretFilesLoseTheirFinalNewline() {
        let text = "name: desk\n\(Self.channels)discord: { token_file: ../secret }\n"
        let reading = reading(text, files: ["/secret": "abc\n"])
        #expect(reading.secrets["CHAFFINCH_DISCORD_TOKEN"] == "abc")
        #expect(reading.pipeline?.discord.token?.source == .file("/secret"))
    }

    @Test func aGenerationFindsItsSecretsAnew() throws {
        let text = """
            name: desk
            \(Self.channels)
            discord: { token: "${T}" }
            store: { url: "${U:-sqlite:data/x.db}" }
            openai: { api_key_file: key }
            """
        let pipeline = try #require(reading(text, resolvingSecrets: false).pipeline)
        let found = PipelineReader.resolveSecrets(of: pipeline, environment: ["T": "Bot t"]) { path in
            path == "/desk/key" ? "k\n" : ""
        }
        #expect(found.diagnostics.isEmpty)
        #expect(
            found.secrets == [
                "CHAFFINCH_DISCORD_TOKEN": "t", "CHAFFINCH_STORE_URL": "sqlite:/desk/data/x.db",
                "CHAFFINCH_OPENAI_API_KEY": "k",
            ]
        )

        let missing = PipelineReader.resolveSecrets(of: pipeline, environment: [:]) { path in
            throw FileProblem(path, "no such file or directory")
        }
        #expect(
            messages(missing.diagnostics) == [
                "pipeline.yaml: 'openai.api_key_file': cannot use '/desk/key': no such file or directory",
                "pipeline.yaml: environment variable 'T' is not set (used by 'discord.token'); "
                    + "set it, or write ${T:-default}",
            ]
        )
    }

    @Test func aLiteralSecretCannotBeFoundAnew() throws {
        let text = "name: desk\n\(Self.channels)discord: { token: abc }\n"
        let reading = reading(text)
        #expect(reading.diagnostics.warnings.count == 1)
        let pipeline = try #require(reading.pipeline)
        #expect(pipeline.discord.token?.source == .literal)
        let found = PipelineReader.resolveSecrets(of: pipeline, environment: [:])
        #expect(found.diagnostics.errors.count == 1)
        #expect(messages(found.diagnostics)[0].contains("was written into the file itself"))
    }
}
