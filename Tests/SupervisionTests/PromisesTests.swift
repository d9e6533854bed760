import Foundation
import Testing

/// `docs/supervision.md` names a test for each promise; a test that is renamed or removed must not leave it behind.
@Suite struct PromisesTests {
    @Test func everyTestThatThePageNamesExists() throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let page = tests.deletingLastPathComponent().appendingPathComponent("docs/supervision.md")
        let folders = ["SupervisionTests", "ModelTests", "PipelineFileTests", "WorkersTests", "EndToEndTests"]
        let sources = try folders.flatMap { folder in
            try FileManager.default.contentsOfDirectory(
                at: tests.appendingPathComponent(folder),
                includingPropertiesForKeys: nil
            )
        }
        let code = try sources.filter { $0.pathExtension == "swift" }.map {
            try String(contentsOf: $0, encoding: .utf8)
        }
        .joined()
        let rows = try String(contentsOf: page, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| ") }
        let names = rows.compactMap { $0.split(separator: "|").last }.flatMap { cell in
            cell.matches(of: /`(?<suite>[A-Z]\w+Tests)?\.?(?<test>[a-z]\w+[A-Z]\w*)?`/).flatMap {
                [$0.suite.map { "struct \($0) " }, $0.test.map { "func \($0)(" }].compactMap { $0 }
            }
        }
        #expect(names.count > 40)
        for name in Set(names) { #expect(code.contains(name), "\(name)") }
    }
}
