import Foundation
import TestSupport
import Testing

/// Commands in the wrong place, or beside servers that are away: each says what happened, where, and what to do next.
@Suite struct AdviceTests {
    private static let plain = "name: plain\nworkers: { a: { command: [sleep, '9'] } }\n"
    private static let desk = """
        name: desk
        broker: { url: "${RABBITMQ_URL:-managed}" }
        store: { url: "${DATABASE_URL:-sqlite:rows.db}" }
        records: { note: { fields: { word: { type: text, required: true } } } }
        parsers: parsers/
        """

    private func run(
        _ arguments: [String],
        in folder: TemporaryFolder,
        environment: [String: String] = [:]
    ) async throws -> (exitCode: Int32, output: String, errors: String) {
        try await RunningProgram.run(
            Project.binary("chaffinch"),
            arguments,
            environment: environment,
            in: folder.url
        )
    }

    @Test(arguments: [
        "test", "explain hi", "parse", "rules", "score --truth x", "setup", "dead list", "reparse", "spend",
        "supervisor",
    ])
    func withoutAPipeline(_ command: String) async throws {
        let result = try await run(command.split(separator: " ").map(String.init), in: TemporaryFolder())
        #expect(result.exitCode == 78)
        #expect(
            result.errors == "pipeline.yaml: there is no such file; run this in the folder of your pipeline.yaml, or "
                + "name it with --config\n"
        )
    }

    @Test(arguments: ["status", "reload", "restart a", "reset a"])
    func withoutASupervisor(_ command: String) async throws {
        let result = try await run(command.split(separator: " ").map(String.init), in: TemporaryFolder())
        #expect(result.exitCode == 69)
        #expect(result.errors.contains("/data/supervisor.sock; 'chaffinch supervisor' starts one; --config or --data"))
    }

    @Test(arguments: ["setup", "dead list", "dead replay --all", "reparse", "spend", "import x.jsonl"])
    func whatAPlainSupervisorHasNot(_ command: String) async throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.plain, to: "pipeline.yaml")
        try folder.write("", to: "x.jsonl")
        let result = try await run(command.split(separator: " ").map(String.init), in: folder)
        #expect(result.exitCode == 78)
        #expect(result.errors == "chaffinch: pipeline.yaml has no pipeline, only commands\n")
    }

    @Test func aPipelineThatIsNoFileOfText() async throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "folder/x")
        let result = try await run(["check", "--config", "folder"], in: folder)
        #expect(result.exitCode == 1)
        #expect(result.errors.hasPrefix("folder: cannot read the file: not a regular file\n"))
        try Data([0xFF, 0xFE]).write(to: folder.url.appending(path: "bytes.yaml"))
        let bytes = try await run(["check", "--config", "bytes.yaml"], in: folder)
        #expect(bytes.errors.hasPrefix("bytes.yaml: cannot read the file: not UTF-8 text\n"))
    }

    @Test(arguments: ["dead list", "spend", "reparse"])
    func aDatabaseThatIsNotSetUp(_ command: String) async throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.desk, to: "pipeline.yaml")
        try folder.write("", to: "parsers/.keep")
        let words = command.split(separator: " ").map(String.init)
        #expect(try await run(words, in: folder).errors.hasSuffix("/rows.db yet; run 'chaffinch setup'\n"))
        try folder.write("", to: "rows.db")
        let result = try await run(words, in: folder)
        #expect(result.exitCode == 69)
        #expect(result.errors == "chaffinch: the database has no tables of Chaffinch yet; run 'chaffinch setup'\n")
    }

    @Test(arguments: ["", " , "])
    func onlyWithoutAName(_ only: String) async throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.plain, to: "pipeline.yaml")
        let refused = try await run(["supervisor", "--only", only], in: folder)
        #expect(refused.exitCode == 64 && refused.errors.contains("--only names no worker; leave it out to run all"))
    }

    @Test func aFolderWithoutRules() async throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.desk, to: "pipeline.yaml")
        try folder.write("", to: "parsers/.keep")
        let result = try await run(["check"], in: folder)
        #expect(result.exitCode == 0)
        #expect(
            result.errors
                == "pipeline.yaml: warning: 'parsers' holds no rule file (*.yaml, also in sub-folders), so no "
                + "message can become a record\n"
        )
        try folder.write(Self.desk + "\nworkers: { p: { command: [cat], consumes: unmatched } }\n", to: "pipeline.yaml")
        #expect(try await run(["check"], in: folder).errors == "")
    }

    @Test func serversThatAreAway() async throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.desk, to: "pipeline.yaml")
        try folder.write("", to: "parsers/.keep")
        try folder.write("", to: "x.jsonl")
        let away = ["RABBITMQ_URL": "amqp://127.0.0.1:1/", "DATABASE_URL": "postgres://u:hunter2@127.0.0.1:1/db"]
        for command in ["dead list", "spend", "reparse", "setup"] {
            let result = try await run(command.split(separator: " ").map(String.init), in: folder, environment: away)
            #expect(result.exitCode == 69, "\(command)")
            #expect(result.errors.contains("Connection refused; Is the server running"), "\(command): \(result.errors)")
        }
        let fed = try await run(["import", "x.jsonl"], in: folder, environment: away)
        #expect(fed.exitCode == 69 && fed.errors.contains("; is RabbitMQ running there, and reachable?"))
        let check = try await run(["check", "--connect"], in: folder, environment: away)
        #expect(check.exitCode == 69 && !(check.output + check.errors).contains("hunter2"))
        let lines = check.output.split(separator: "\n").map { $0.prefix { $0 != ":" } }
        #expect(lines.prefix(2) == ["broker  failed  cannot connect to amqp", "store  failed  Postgres"])
    }
}
