import Foundation

@testable import PipelineFile

/// The files under `Fixtures/`.
enum Fixtures {
    static let folder = Bundle.module.resourcePath! + "/Fixtures"

    static func read(_ path: String) throws -> String { try TextFile.read("\(folder)/\(path)") }

    static func names(in subfolder: String, suffix: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(subfolder)")) ?? []
        return names.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }.sorted()
    }
}

/// A folder that is gone when its owner is.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "chaffinch-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ text: String, to name: String) throws {
        let file = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file)
    }
}

/// Reads `text` as `/desk/pipeline.yaml`, with secret files that exist only here.
func reading(
    _ text: String,
    environment: [String: String] = [:],
    resolvingSecrets: Bool = true,
    files: [String: String] = ["/run/secrets/discord": "token-of-a-bot\n"],
    name: String = "pipeline.yaml"
) -> PipelineReading {
    PipelineReader.read(
        SourceFile(name: name, text: text),
        folder: "/desk",
        environment: environment,
        resolvingSecrets: resolvingSecrets
    ) { path in
        guard let content = files[path] else { throw FileProblem(path, "no such file or directory") }
        return content
    }
}

func messages(_ diagnostics: Diagnostics) -> [String] { diagnostics.all.map(\.description) }
