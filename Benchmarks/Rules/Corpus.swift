import Foundation
import Model
import PipelineFile
import Rules

/// What the trials run on: texts of real messages where their folder is given, else those of the rule files' examples.
struct Corpus {
    /// The folder of `Package.swift`.
    let root: String
    var texts: [String] = []
    /// Rule files that come with Chaffinch, and the record types of the pipelines they belong to.
    private(set) var ruleFiles: [SourceFile] = []
    private(set) var records: [RecordType] = []

    /// - Parameter data: a folder of JSON lines with `text`, `content` or `payload.content`.
    init(root: String, data: String?) throws {
        self.root = root
        for folder in try [""] + Self.names(in: root + "/examples").map({ "examples/\($0)/" }) {
            try readPipeline(folder)
        }
        if let data {
            for name in try Self.names(in: data).filter({ $0.hasSuffix(".jsonl") && !$0.contains("truth") }) {
                try readMessages(data + "/" + name)
            }
        }
        if texts.isEmpty { texts = exampleTexts() }
    }

    private static func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private mutating func readPipeline(_ folder: String) throws {
        let path = "\(root)/\(folder)pipeline.yaml"
        let reading = PipelineReader.read(
            SourceFile(path: path, shownAs: folder + "pipeline.yaml"),
            folder: root,
            environment: [:],
            resolvingSecrets: false
        )
        guard let pipeline = reading.pipeline else { return }
        for record in pipeline.records where !records.contains(where: { $0.name == record.name }) {
            records.append(record)
        }
        guard folder.isEmpty || FileManager.default.fileExists(atPath: "\(root)/\(folder)parsers") else { return }
        let files = FileManager.default.enumerator(atPath: "\(root)/\(folder)parsers")?.compactMap { $0 as? String } ?? []
        for name in files.sorted() where name.hasSuffix(".yaml") {
            let shown = "\(folder)parsers/\(name)"
            guard !ruleFiles.contains(where: { $0.name.hasSuffix("/" + name) }) else { continue }
            ruleFiles.append(SourceFile(path: "\(root)/\(shown)", shownAs: shown))
        }
    }

    private mutating func readMessages(_ path: String) throws {
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
            guard let json = try? JSONDocument(String(line)).root else { continue }
            let payload = json["payload"] ?? json
            let text = payload["text"]?.string ?? payload["content"]?.string ?? ""
            let embeds = payload["embeds"].flatMap(EmbedText.flatten) ?? ""
            if let content = [text, embeds].first(where: { !$0.isEmpty }) { texts.append(content) }
        }
    }

    private func exampleTexts() -> [String] {
        ruleFiles.flatMap { file -> [String] in
            var ignored = Diagnostics()
            let examples = YAMLParser.parse(file, into: &ignored)?.value("examples")?.sequence ?? []
            return examples.compactMap { $0.value("text")?.scalar }
        }
    }

    /// The rule files that fit each other: of one id the first.
    func compile(_ files: [SourceFile], examples: Bool) -> RuleCompilation {
        RuleCompiler.compile(files, records: records, channels: [], runningExamples: examples)
    }

    static func message(_ content: String, embed: String? = nil) -> Message {
        var writer = JSONWriter()
        writer.object { writer in
            for (key, value) in [
                ("id", "1"), ("channel_id", "1"), ("content", content), ("timestamp", "2026-03-01T12:00:00Z"),
            ] {
                writer.key(key)
                writer.value(value)
            }
            writer.key("type")
            writer.value(0)
            if let embed {
                writer.key("embeds")
                writer.array { writer in
                    writer.object { writer in
                        for key in ["title", "description"] {
                            writer.key(key)
                            writer.value(embed)
                        }
                    }
                }
            }
        }
        // Our own JSON of these very members.
        return try! Message(JSONDocument(writer.bytes).root)
    }
}

/// Processor time of this thread, which other processes do not use up.
func processorNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
