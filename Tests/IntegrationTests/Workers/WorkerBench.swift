import Foundation
import Logging
import Model
import Synchronization
import TestSupport

@testable import Messaging
@testable import PipelineFile
@testable import Workers

/// What a role needs to run in the process of a test: a generation, and the broker of a fixture.
struct WorkerBench {
    let folder: TemporaryFolder
    let drain = DrainSignal()
    let context: WorkerContext

    /// - Parameters:
    ///   - pipeline: what `pipeline.yaml` says beside its name, data, broker and store.
    ///   - rules: the text of a rule file.
    init(
        _ fixture: BrokerFixture,
        role: String = "test",
        database: String? = nil,
        pipeline: String = "",
        rules: String? = nil,
        logger: Logger? = nil
    ) throws {
        folder = try TemporaryFolder()
        let text = """
            name: test
            broker: { url: "${BROKER}", prefix: \(fixture.topology.prefix) }
            store: { url: "${DATABASE}" }
            parsers: parsers/
            \(pipeline)
            """
        let reading = PipelineReader.read(
            SourceFile(name: "pipeline.yaml", text: text),
            folder: folder.url.path,
            environment: [
                "BROKER": BrokerServer.url ?? "", "DATABASE": database ?? "sqlite:\(folder.url.path)/rows.db",
            ],
            resolvingSecrets: true,
            needed: [.brokerURL, .storeURL]
        )
        guard let read = reading.pipeline else {
            throw MissingServer(reading.diagnostics.errors.map(\.description).joined(separator: "\n"))
        }
        context = WorkerContext(
            generation: Generation(
                number: 1,
                folder: folder.url.path,
                pipeline: read,
                rules: rules.map { [SourceFile(name: "parsers/test.yaml", text: $0)] } ?? []
            ),
            name: "\(role)/1",
            logger: logger ?? fixture.logger,
            control: ControlChannel(role: role, drain: drain, environment: [:]),
            drain: drain,
            environment: reading.secrets
        )
    }
}

/// A log handler that keeps what is logged.
struct LogRecorder: LogHandler {
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        lines.add(([event.message.description] + fields).joined(separator: " "))
    }
}
