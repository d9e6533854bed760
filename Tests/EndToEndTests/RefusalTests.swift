import Foundation
import TestSupport
import Testing

/// Files with mistakes: nothing starts, and everything that is wrong is said.
@Suite struct RefusalTests {
    private static let pipeline = """
        name: refused
        discord: { token: "${DISCORD_TOKEN}", live: false }
        broker: { url: "amqp://127.0.0.1:1/" }
        channels: [{ name: a, id: "1" }]
        records: { note: { fields: { word: { type: text, required: true } } } }
        parsers: parsers/
        """
    private static let rule = """
        parser: notes
        record: note
        fields: { word: { match: 'note (?<value>\\w+)' } }
        examples: [{ text: "note this", expect: [{ word: this }] }]
        """

    private func supervisor(_ folder: TemporaryFolder) async throws -> (exitCode: Int32, output: String, errors: String)
    {
        try await RunningProgram.run(
            Project.binary("chaffinch"),
            ["supervisor"],
            environment: ["DISCORD_TOKEN": "x"],
            in: folder.url
        )
    }

    /// The fixtures of the unit tests, through the real binary.
    @Test(arguments: ["PipelineFileTests", "RulesTests"])
    func brokenFilesStartNothing(_ target: String) async throws {
        let fixtures = Project.root.appending(path: "Tests/\(target)/Fixtures/broken")
        let files = try FileManager.default.contentsOfDirectory(atPath: fixtures.path).filter { $0.hasSuffix(".yaml") }
        #expect(files.count >= 10)
        for file in files {
            let folder = try TemporaryFolder()
            let text = try String(contentsOf: fixtures.appending(path: file), encoding: .utf8)
            if target == "RulesTests" {
                try folder.write(Self.pipeline, to: "pipeline.yaml")
                try folder.write(text, to: "parsers/\(file)")
            } else {
                try folder.write(text, to: "pipeline.yaml")
            }
            let result = try await supervisor(folder)
            #expect(result.exitCode == 78, "\(file): \(result.errors)")
            #expect(result.errors.contains(#/\.yaml:\d+:\d+: /#), "\(file): \(result.errors)")
            let generations = folder.url.appending(path: "data/generations")
            #expect(!FileManager.default.fileExists(atPath: generations.path), "\(file)")
        }
    }

    @Test func everyMistakeIsShownAtOnceWithItsLine() async throws {
        let folder = try TemporaryFolder()
        try folder.write(
            Self.pipeline.replacing("channels:", with: "chanels:").replacing("type: text", with: "type: txt"),
            to: "pipeline.yaml"
        )
        let result = try await RunningProgram.run(
            Project.binary("chaffinch"),
            ["check"],
            environment: ["DISCORD_TOKEN": "x"],
            in: folder.url
        )
        #expect(result.exitCode == 1)
        #expect(result.errors.contains("pipeline.yaml:4:1: unknown key 'chanels'; did you mean 'channels'?\n"))
        #expect(result.errors.contains("    chanels: [{ name: a, id: \"1\" }]\n    ^\n"))
        #expect(result.errors.contains("pipeline.yaml:5:44: "))
        #expect(result.errors.hasSuffix("2 errors; nothing would start\n"))
    }

    @Test func secretsAreInNoGeneration() async throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.pipeline, to: "pipeline.yaml")
        try folder.write(Self.rule, to: "parsers/notes.yaml")
        let check = try await RunningProgram.run(
            Project.binary("chaffinch"),
            ["worker", "check"],
            environment: ["DISCORD_TOKEN": "very-secret-token"],
            in: folder.url
        )
        #expect(check.exitCode == 0, "\(check.errors)")
        let files = FileManager.default.enumerator(atPath: folder.url.appending(path: "data").path)
        var seen = 0
        while let path = files?.nextObject() as? String {
            let file = folder.url.appending(path: "data/\(path)")
            guard let text = try? String(contentsOf: file, encoding: .utf8) else { continue }
            seen += 1
            #expect(!text.contains("very-secret-token"), "\(path)")
        }
        #expect(seen >= 2)
    }

    @Test func abrokenRuleFileKeepsItsAcceptedVersion() async throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.pipeline, to: "pipeline.yaml")
        try folder.write(Self.rule, to: "parsers/notes.yaml")
        func check() async throws -> (exitCode: Int32, output: String, errors: String) {
            try await RunningProgram.run(
                Project.binary("chaffinch"),
                ["worker", "check"],
                environment: ["DISCORD_TOKEN": "x"],
                in: folder.url
            )
        }
        #expect(try await check().output.contains(#""generation":1"#))
        #expect(try await check().output.contains(#""generation":1"#))
        try folder.write(Self.rule + "\nnonsense: true\n", to: "parsers/notes.yaml")
        let more = Self.rule.replacing("parser: notes", with: "parser: more")
            .replacing("'note (", with: "'nota (").replacing("note this", with: "nota this")
        try folder.write(more, to: "parsers/more.yaml")
        let broken = try await check()
        #expect(broken.errors.contains("parsers/notes.yaml:5:1: unknown key 'nonsense'"))
        #expect(broken.exitCode == 0)
        #expect(broken.output.contains("running the last accepted version of parsers"))
        #expect(!broken.output.contains("leaving out"))
        #expect(broken.output.contains(#""generation":2"#))
        try folder.write("parser: [", to: "parsers/never.yaml")
        let never = try await check()
        #expect(never.exitCode == 0)
        #expect(never.output.replacing("\\/", with: "/").contains("leaving out parsers/never.yaml, which never passed"))
        try folder.write("name: [", to: "pipeline.yaml")
        let gone = try await check()
        #expect(gone.exitCode == 0)
        #expect(gone.output.contains("running generation"))
    }
}
