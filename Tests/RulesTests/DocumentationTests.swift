import Foundation
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
