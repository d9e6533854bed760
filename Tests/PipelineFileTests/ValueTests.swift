import Foundation
import Testing

@testable import PipelineFile

@Suite struct ValueTests {
    @Test(arguments: [
        ("0", 0 as Int?, "0"), ("500ms", 500, "500ms"), ("5s", 5000, "5s"), ("90s", 90_000, "90s"),
        ("120s", 120_000, "2m"), ("1h", 3_600_000, "1h"), ("1500ms", 1500, "1500ms"), ("5", nil, ""), ("5 s", nil, ""),
        ("-5s", nil, ""), ("1.5s", nil, ""), ("s", nil, ""), ("5d", nil, ""), ("99999999999999999999h", nil, ""),
        ("9999999999999h", nil, ""), ("", nil, ""),
    ])
    func durations(text: String, milliseconds: Int?, written: String) {
        let duration = Duration(written: text)
        #expect(duration == milliseconds.map { .milliseconds($0) })
        if let duration { #expect(duration.written == written) }
    }

    @Test(arguments: [
        ("64MiB", 64 << 20 as Int?), ("1GiB", 1 << 30), ("2KiB", 2048), ("100", 100), ("100B", 100), ("64MB", nil),
        ("MiB", nil), ("-1", nil), ("9999999999GiB", nil),
    ])
    func sizes(text: String, bytes: Int?) {
        #expect(ByteCount.parse(text) == bytes)
    }

    @Test(arguments: [
        ("plain", "plain"), ("${A}", "1"), ("x${A}y${A}", "x1y1"), ("${B:-two}", "two"), ("${E:-empty}", "empty"),
        ("${E}", ""), ("${B:-${A}}", "1"), ("${B:-}", ""), ("$${A}", "${A}"), ("cost: $5 $$", "cost: $5 $$"),
        ("${B:-a:-b}", "a:-b"),
    ])
    func templates(text: String, value: String) throws {
        #expect(try Template(text).expanded(with: ["A": "1", "E": ""]) == value)
    }

    @Test(arguments: ["${", "${}", "${A", "${1A}", "${A B}", "${A-x}", "${A:-x", "${ A }", "${Ä}"])
    func malformedTemplates(text: String) {
        #expect(throws: TemplateError.malformed) { try Template(text) }
    }

    @Test func deeplyNestedDefaultsAreRefused() {
        let text = String(repeating: "${A:-", count: 100_000) + String(repeating: "}", count: 100_000)
        #expect(throws: TemplateError.malformed) { try Template(text) }
    }

    @Test func anUnsetVariableIsReadFromItsFile() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("chaffinch-\(UUID().uuidString)")
        try Data("secret\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let environment = ["A_FILE": file.path, "B": "set", "B_FILE": file.path, "C_FILE": "/nowhere"]
        #expect(try Template("${A} ${B}").expanded(with: environment) == "secret set")
        #expect(throws: TemplateError.unreadable("C", "cannot use '/nowhere': no such file or directory")) {
            try Template("${C:-x}").expanded(with: environment)
        }
    }

    /// The environment of the role that it is for would end there.
    @Test func aNULInTheFileOfAVariableIsRefused() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("chaffinch-\(UUID().uuidString)")
        try Data("sec\0ret\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let reason = "cannot use '\(file.path)': it holds a NUL character; save it as plain UTF-8 text"
        #expect(throws: TemplateError.unreadable("A", reason)) {
            try Template("${A}").expanded(with: ["A_FILE": file.path])
        }
        #expect(try TextFile.read(file.path) == "sec\0ret\n")
    }

    @Test func anUnsetVariableIsNamed() {
        #expect(throws: TemplateError.unset("B")) { try Template("${A}${B}").expanded(with: ["A": "1"]) }
    }

    @Test(arguments: [
        ("a", "/desk/a"), ("a/", "/desk/a"), ("./a//b", "/desk/a/b"), ("../a", "/a"), ("../../..", "/"),
        ("/x/./y", "/x/y"),
    ])
    func paths(path: String, absolute: String) {
        #expect(FilePath.absolute(path, in: "/desk") == absolute)
    }

    @Test func durationsAreReadableInJSON() throws {
        var backoff = Worker.BackoffSettings()
        backoff.initial = .milliseconds(500)
        backoff.max = .seconds(30)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(backoff)
        #expect(String(decoding: json, as: UTF8.self) == #"{"initial":"500ms","max":"30s"}"#)
        #expect(try JSONDecoder().decode(Worker.BackoffSettings.self, from: json) == backoff)
    }
}
