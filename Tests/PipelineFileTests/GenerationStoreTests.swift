import Foundation
import Testing

@testable import PipelineFile

@Suite struct GenerationStoreTests {
    private let folder: TemporaryFolder
    private let store: GenerationStore
    private let rules = [
        SourceFile(name: "rules/gold.yaml", text: "parser: gold\n"),
        SourceFile(name: "rules/sub/oil.yml", text: "parser: ö\r\n"),
    ]

    init() throws {
        folder = try TemporaryFolder()
        store = GenerationStore(dataFolder: folder.path + "/data")
    }

    private func pipeline(poll: String = "10s") throws -> Pipeline {
        let text = try Fixtures.read("full.yaml").replacing("500s", with: poll)
        let reading = reading(text, environment: ["SCORE_KEY": "k", "TOKEN": "hush"], resolvingSecrets: false)
        return try #require(reading.pipeline)
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/data/\(path)")
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test func thereIsNoneAtFirst() throws {
        #expect(try store.latest() == nil)
    }

    @Test func whatIsAcceptedIsLoadedWhole() throws {
        let pipeline = try pipeline()
        let (generation, isNew) = try store.accept(pipeline: pipeline, rules: rules.reversed())
        #expect(isNew)
        #expect(generation.number == 1)
        #expect(generation.rules == rules)
        #expect(generation.folder == folder.path + "/data/generations/1")
        #expect(try store.latest() == generation)
        #expect(try store.load(1) == generation)
        let copy = try String(contentsOfFile: generation.folder + "/parsers/sub/oil.yml", encoding: .utf8)
        #expect(copy == rules[1].text)
    }

    @Test func onlyTheOwnerMayRead() throws {
        _ = try store.accept(pipeline: pipeline(), rules: rules)
        for path in ["generations", "generations/1", "generations/1/parsers", "generations/1/parsers/sub"] {
            #expect(try mode(path) == 0o700)
        }
        for path in ["generations/1/pipeline.json", "generations/1/parsers/gold.yaml"] {
            #expect(try mode(path) == 0o600)
        }
    }

    @Test func theJSONIsReadableAndHoldsNoSecret() throws {
        let (generation, _) = try store.accept(pipeline: pipeline(), rules: [])
        let json = try String(contentsOfFile: generation.folder + "/pipeline.json", encoding: .utf8)
        #expect(json.contains(#""poll" : "10s""#))
        #expect(json.contains(#""template" : "${TOKEN}""#))
        #expect(!json.contains("hush"))
    }

    @Test func theSameAgainIsNoNewGeneration() throws {
        let first = try store.accept(pipeline: pipeline(), rules: rules)
        let second = try store.accept(pipeline: pipeline(), rules: rules)
        #expect(!second.isNew)
        #expect(second.generation == first.generation)
        #expect(try store.accept(pipeline: pipeline(poll: "20s"), rules: rules).generation.number == 2)
        #expect(try store.accept(pipeline: pipeline(poll: "20s"), rules: [rules[0]]).generation.number == 3)
        #expect(try store.accept(pipeline: pipeline(), rules: rules).generation.number == 4)
    }

    @Test func whatAKilledProcessLeftIsIgnoredAndCleared() throws {
        _ = try store.accept(pipeline: pipeline(), rules: rules)
        try folder.write("{", to: "data/generations/.new-2/pipeline.json")
        try folder.write("{", to: "data/generations/.old-1/pipeline.json")
        #expect(try store.latest()?.number == 1)
        #expect(try store.accept(pipeline: pipeline(poll: "1m"), rules: rules).generation.number == 2)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/data/generations")
        #expect(names.sorted() == ["1", "2"])
    }

    @Test func aDamagedGenerationIsReportedAndDoesNotBlockTheNext() throws {
        let (generation, _) = try store.accept(pipeline: pipeline(), rules: rules)
        try folder.write("{", to: "data/generations/1/pipeline.json")
        #expect(throws: FileProblem(generation.folder + "/pipeline.json", "not a pipeline that this version wrote")) {
            try store.latest()
        }
        #expect(try store.accept(pipeline: pipeline(), rules: rules).generation.number == 2)
    }

    /// Who emptied the folder must not give another content the number that workers know.
    @Test func aNewNumberIsHigherThanAnyInUse() throws {
        let first = try store.accept(pipeline: pipeline(), rules: rules, after: 7).generation
        #expect(first.number == 8)
        #expect(try store.accept(pipeline: pipeline(), rules: rules, after: 9).generation.number == 8)
        #expect(try store.accept(pipeline: pipeline(poll: "7s"), rules: rules, after: 3).generation.number == 9)
    }

    @Test func numbersGrowAcrossPruning() throws {
        for seconds in 1...8 { _ = try store.accept(pipeline: pipeline(poll: "\(seconds)s"), rules: []) }
        try store.prune(keeping: 3)
        #expect(throws: FileProblem.self) { try store.load(5) }
        #expect(try store.load(6).pipeline.discord.poll == .seconds(6))
        #expect(try store.accept(pipeline: pipeline(poll: "9s"), rules: []).generation.number == 9)
        try store.prune(keeping: 0)
        #expect(try store.latest()?.number == 9)
    }

    @Test(arguments: ["../evil.yaml", "rules/../evil.yaml", "rules/.hidden.yaml", "/etc/evil.yaml", "rules//x.yaml"])
    func rulesStayInsideTheirFolder(name: String) throws {
        let pipeline = try pipeline()
        #expect(throws: FileProblem(name, "not a path inside the folder of rules")) {
            try store.accept(pipeline: pipeline, rules: [SourceFile(name: name, text: "")])
        }
        #expect(try store.latest() == nil)
    }
}

@Suite struct RuleFolderTests {
    @Test func findsRuleFilesSortedWithSubfoldersAndLinks() throws {
        let folder = try TemporaryFolder()
        for name in ["b.yaml", "a.yml", "sub/c.yaml", "notes.md", ".hidden.yaml", ".git/d.yaml", "b.yaml~"] {
            try folder.write(name, to: name)
        }
        let files = FileManager.default
        try files.createSymbolicLink(atPath: folder.path + "/linked.yaml", withDestinationPath: "sub/c.yaml")
        try files.createSymbolicLink(atPath: folder.path + "/sub/loop", withDestinationPath: "..")
        try files.createSymbolicLink(atPath: folder.path + "/dangling.yaml", withDestinationPath: "nowhere")
        try Data([0xFF, 0xFE]).write(to: URL(fileURLWithPath: folder.path + "/latin.yaml"))
        #expect(mkfifo(folder.path + "/pipe.yaml", 0o600) == 0)
        let found = try RuleFolder.read(folder.path, shownAs: "parsers/")
        #expect(
            found.map(\.name) == [
                "parsers/a.yml", "parsers/b.yaml", "parsers/dangling.yaml", "parsers/latin.yaml", "parsers/linked.yaml",
                "parsers/pipe.yaml", "parsers/sub/c.yaml",
            ]
        )
        #expect(
            found.map { $0.problem ?? $0.text } == [
                "a.yml", "b.yaml", "cannot read the file: no such file or directory",
                "cannot read the file: not UTF-8 text",
                "sub/c.yaml", "cannot read the file: not a regular file", "sub/c.yaml",
            ]
        )
    }

    @Test func anAbsentFolderIsAnError() {
        #expect(throws: FileProblem("/nowhere/parsers", "no such file or directory")) {
            try RuleFolder.read("/nowhere/parsers", shownAs: "parsers")
        }
    }
}
