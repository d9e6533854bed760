import Foundation
import Model
import PipelineFile
import TestSupport
import Testing

@testable import Rules

/// Every broken file of `Fixtures/broken` stands beside the diagnostics it must get, caret and all.
@Suite("Broken rule files")
struct BrokenRulesTests {
    private static let folder = Bundle.module.resourceURL!.appending(path: "Fixtures/broken")

    static let names: [String] = {
        let files = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (files ?? []).filter { $0.hasSuffix(".yaml") }.sorted()
    }()

    @Test("there are some")
    func some() {
        #expect(Self.names.count >= 10)
    }

    @Test("are refused with exactly these words", arguments: names)
    func diagnostics(name: String) throws {
        let file = SourceFile(
            name: name,
            text: try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
        )
        let compilation = RuleCompiler.compile(
            [file],
            records: [tradingSignal],
            channels: testChannels,
            runningExamples: true
        )
        let got = compilation.diagnostics.all.map { $0.rendered(sources: [file], colour: false) + "\n" }.joined()
        let path = Self.folder.appending(path: name.replacing(".yaml", with: ".expected"))
        if let record = ProcessInfo.processInfo.environment["CHAFFINCH_RECORD_FIXTURES"] {
            try got.write(
                toFile: "\(record)/\(path.lastPathComponent)",
                atomically: true,
                encoding: .utf8
            )
        }
        #expect(got == (try? String(contentsOf: path, encoding: .utf8)))
        #expect(compilation.files.map(\.isGood) == [false])
        #expect(compilation.rules?.parsers.isEmpty == true)
    }
}
