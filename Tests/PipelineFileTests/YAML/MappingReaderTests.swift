import Testing

@testable import PipelineFile

@Suite struct MappingReaderTests {
    private func messages(_ text: String, read: (inout MappingReader, inout Diagnostics) -> Void) -> [String] {
        var diagnostics = Diagnostics()
        guard let node = YAMLParser.parse(SourceFile(name: "f.yaml", text: text), into: &diagnostics) else { return [] }
        if var reader = MappingReader(node, what: "'broker'", diagnostics: &diagnostics) {
            read(&reader, &diagnostics)
            reader.finish(&diagnostics)
        }
        return diagnostics.all.map(\.description)
    }

    @Test(arguments: [
        ("url: x", []), ("url: x\nprefix: y", []), ("prefix: y", ["f.yaml:1:1: 'broker' has no 'url'"]),
        ("url:\n", ["f.yaml:1:1: 'url' has no value"]),
        ("url: x\nprefx: y", ["f.yaml:2:1: unknown key 'prefx'; did you mean 'prefix'?"]),
        ("url: x\nzzz: y", ["f.yaml:2:1: unknown key 'zzz'; 'broker' takes url, prefix"]),
        ("[a]", ["f.yaml:1:1: 'broker' must be a map, not a list"]),
        ("text", ["f.yaml:1:1: 'broker' must be a map, not 'text'"]),
    ])
    func reportsWhatIsMissingAndUnknown(text: String, expected: [String]) {
        let found = messages(text) { reader, diagnostics in
            _ = reader.required("url", &diagnostics)
            _ = reader.optional("prefix")
        }
        #expect(found == expected)
    }

    @Test(arguments: [
        ("chanels", "channels"), ("Channels", "channels"), ("recrods", "records"), ("x", nil as String?),
        ("workers", "workers"), ("disc", nil), ("", nil),
    ])
    func findsTheNearestWord(word: String, expected: String?) {
        #expect(nearest(word, in: ["channels", "records", "workers", "discord", "db"]) == expected)
    }
}
