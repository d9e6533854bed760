import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

/// What the reference shows as a whole file must be one.
@Suite("The reference of the rule language")
struct DocumentationTests {
    private static let files: [String] = {
        let text = try? String(contentsOf: Project.root.appending(path: "docs/rule-language.md"), encoding: .utf8)
        let lines = (text ?? "").split(separator: "\n", omittingEmptySubsequences: false)
        var files: [String] = []
        var current: [Substring]?
        for line in lines {
            if line == "```yaml" {
                current = []
            } else if line == "```" {
                if let file = current { files.append(file.joined(separator: "\n")) }
                current = nil
            } else {
                current?.append(line)
            }
        }
        return files
    }()

    @Test("has a file for every engine")
    func engines() {
        #expect(Self.files.count == 5)
    }

    @Test("whose files compile, and whose examples hold", arguments: files)
    func compiles(file: String) {
        let compilation = compile(file)
        #expect(compilation.messages == [])
        #expect(compilation.examples.count >= 2)
        #expect(compilation.examples.map(\.passed) == compilation.examples.map { _ in true })
    }
}

/// The walk must lead where it says.
@Suite("The walk through writing a rule")
struct WritingRulesTests {
    private static let blocks: [String] = {
        let text = (try? source("docs/writing-rules.md"))?.text ?? ""
        return text.components(separatedBy: "```yaml\n").dropFirst().map { $0.components(separatedBy: "\n```")[0] }
    }()

    private func compile(_ rule: String) throws -> RuleCompilation {
        let reading = PipelineReader.read(
            SourceFile(name: "pipeline.yaml", text: Self.blocks[0]),
            folder: "/harbour",
            environment: [:],
            resolvingSecrets: false
        )
        let pipeline = try #require(reading.pipeline)
        return RuleCompiler.compile(
            [SourceFile(name: "parsers/ferries.yaml", text: rule)],
            records: pipeline.records,
            channels: pipeline.channels.map { ChannelName(id: $0.id, name: $0.name) },
            runningExamples: true
        )
    }

    @Test("ends in a file whose examples hold")
    func finished() throws {
        #expect(Self.blocks.count == 2)
        let compilation = try compile(Self.blocks[1])
        #expect(compilation.messages == [])
        #expect(compilation.examples.map(\.passed) == [true, true, true, true])
    }

    @Test("starts with the mistakes that it shows")
    func mistakes() throws {
        let first = Self.blocks[1].replacing(#"MV (?<value>\w+)"#, with: #"MV (\w+)"#)
            .replacing("(?<vessel>", with: "(?<vesel>")
        let text = try source("docs/writing-rules.md").text
        let messages = try compile(first).diagnostics.errors.map(\.message)
        #expect(messages.count == 2)
        for message in messages { #expect(text.contains(message), "\(message)") }
    }
}
