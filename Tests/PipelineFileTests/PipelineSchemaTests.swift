import Foundation
import Model
import Testing

@testable import PipelineFile

@Suite struct PipelineSchemaTests {
    private static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func schema() throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(PipelineSchema.json().utf8))
        return try #require(object as? [String: Any])
    }

    /// Follows `$ref`, and of alternatives takes the one with properties.
    private func resolved(_ schema: [String: Any], in root: [String: Any]) -> [String: Any] {
        if let reference = schema["$ref"] as? String, let name = reference.split(separator: "/").last {
            let target = (root["$defs"] as? [String: Any])?[String(name)] as? [String: Any]
            return resolved(target ?? [:], in: root)
        }
        for alternatives in ["anyOf", "allOf"] {
            if let choices = schema[alternatives] as? [[String: Any]], let first = choices.first {
                return resolved(first, in: root)
            }
        }
        return schema
    }

    private func keys(at shape: String, in root: [String: Any]) -> Set<String> {
        var schema = root
        for part in shape.split(separator: ".") {
            let name = String(part.replacing("[]", with: ""))
            let next: Any?
            if name == "*" {
                next = schema["additionalProperties"]
            } else {
                next = (schema["properties"] as? [String: Any])?[name]
            }
            schema = resolved(next as? [String: Any] ?? [:], in: root)
            if part.hasSuffix("[]") { schema = resolved(schema["items"] as? [String: Any] ?? [:], in: root) }
        }
        return Set((schema["properties"] as? [String: Any] ?? [:]).keys)
    }

    @Test func readerAndSchemaKnowTheSameKeys() throws {
        var decoder = PipelineDecoder(
            folder: "/desk",
            environment: [:],
            resolvingSecrets: false,
            readFile: { _ in "" }
        )
        let file = SourceFile(name: "full.yaml", text: try Fixtures.read("full.yaml"))
        let node = try #require(YAMLParser.parse(file, into: &decoder.diagnostics))
        let pipeline = decoder.decode(node)
        #expect(pipeline != nil)
        let root = try schema()
        #expect(decoder.keysByShape.count == 17)
        for (shape, known) in decoder.keysByShape {
            #expect(keys(at: shape, in: root) == known, "at '\(shape)'")
        }
    }

    @Test func theCommittedFileIsCurrent() throws {
        let path = Self.package.appendingPathComponent("schema/pipeline.schema.json").path
        if ProcessInfo.processInfo.environment["CHAFFINCH_WRITE_SCHEMA"] != nil {
            try Data(PipelineSchema.json().utf8).write(to: URL(fileURLWithPath: path))
        }
        #expect(try TextFile.read(path) == PipelineSchema.json())
    }

    @Test func theShippedPipelineIsReadWithoutAWord() throws {
        let file = SourceFile(path: Self.package.appendingPathComponent("pipeline.yaml").path, shownAs: "pipeline.yaml")
        let reading = PipelineReader.read(
            file,
            folder: "/desk",
            environment: ["DISCORD_TOKEN": "abc"],
            resolvingSecrets: true
        )
        #expect(messages(reading.diagnostics).isEmpty)
        let pipeline = try #require(reading.pipeline)
        #expect(pipeline.broker.isManaged)
        #expect(reading.secrets["CHAFFINCH_STORE_URL"] == "sqlite:/desk/data/chaffinch.db")
        #expect(pipeline.recordType(named: "trading_signal")?.checks.count == 3)
        #expect(file.text.hasPrefix("# yaml-language-server: $schema=schema/pipeline.schema.json\n"))
    }
}
