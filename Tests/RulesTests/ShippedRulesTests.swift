import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

/// What the shipped `pipeline.yaml` and `parsers/` make of messages.
enum Shipped {
    static func pipeline(_ path: String = "pipeline.yaml") throws -> Pipeline {
        let file = Project.root.appending(path: path)
        let reading = PipelineReader.read(
            try source(path),
            folder: file.deletingLastPathComponent().path,
            environment: [:],
            resolvingSecrets: false
        )
        return try #require(reading.pipeline, "\(path): \(reading.diagnostics)")
    }

    static func compilation(_ path: String = "pipeline.yaml", runningExamples: Bool) throws -> RuleCompilation {
        let pipeline = try pipeline(path)
        return RuleCompiler.compile(
            try RuleFolder.read(try #require(pipeline.parsersFolder), shownAs: "parsers"),
            records: pipeline.records,
            channels: [],
            runningExamples: runningExamples
        )
    }

    static func rules() throws -> RuleSet { try #require(try compilation(runningExamples: false).rules) }
}

@Suite("Rule files that come with Chaffinch")
struct ShippedRulesTests {
    @Test("compile side by side, without a conflict, and their examples hold")
    func together() throws {
        let compilation = try Shipped.compilation(runningExamples: true)
        #expect(compilation.messages == [])
        #expect(compilation.files.count >= 24 && compilation.files.allSatisfy { $0.isGood })
        #expect(compilation.examples.count >= 200)
        // Rules without a gate would be tried on every message of every channel.
        let gates = compilation.rules?.parsers.map(\.gate) ?? []
        #expect(!gates.contains(ParserSummary.Gate.none))
    }

    @Test("every file has examples of what it reads and of what it leaves")
    func examples() throws {
        let pipeline = try Shipped.pipeline()
        for file in try RuleFolder.read(try #require(pipeline.parsersFolder), shownAs: "parsers") {
            let examples = file.text.components(separatedBy: "\nexamples:").last ?? ""
            #expect(examples.contains("expect: none"), "\(file.name)")
            #expect(examples.components(separatedBy: "expect:").count > 3, "\(file.name)")
        }
    }

    @Test(
        "each example pipeline declares its record types as pipeline.yaml does",
        arguments: ["code-hosting", "demo", "game-scores", "option-alerts", "server-status", "tip-bot"]
    )
    func examplePipelines(name: String) throws {
        let all = try Shipped.pipeline().records
        let path = "examples/\(name)/pipeline.yaml"
        for record in try Shipped.pipeline(path).records { #expect(all.contains(record), "\(record.name)") }
        let compilation = try Shipped.compilation(path, runningExamples: false)
        #expect(compilation.messages == [])
        #expect(compilation.rules?.parsers.isEmpty == false)
    }

    /// The family of signals-labelled differs in its words alone.
    @Test func sharedPieces() throws {
        let words: Set = ["n", "longs", "shorts", "entry", "sl", "tp", "risks", "ratios", "bullets", "names", "golds"]
        let family = ["bare-targets", "bilingual", "comma", "russian", "spanish", "swedish", "turkish"]
        let model = try pieces("signals-labelled")
        #expect(model.count > 60)
        for name in family {
            for (piece, pattern) in try pieces("signals-\(name)") where !words.contains(piece) {
                #expect(pattern == model[piece], "signals-\(name): \(piece)")
            }
        }
    }

    private func pieces(_ name: String) throws -> [String: String] {
        let text = try source("parsers/signals/\(name).yaml").text
        let head = text.components(separatedBy: "\nfields:")[0].components(separatedBy: "\ndefine:")[1]
        var pieces: [String: String] = [:]
        for line in head.split(separator: "\n") where !line.hasPrefix("  #") {
            let parts = line.split(separator: ":", maxSplits: 1)
            pieces[parts[0].trimmingCharacters(in: .whitespaces)] = String(parts[1])
        }
        return pieces
    }
}
