import ArgumentParser
import Foundation
import Model
import SimulatorKit
import Synchronization

/// A server that answers chat completions from a recorded file, for tests and trials: strict about what it is asked,
/// with faults on demand. It never thinks.
@main
struct OpenAISimulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openai-simulator",
        abstract: "Serves recorded answers on loopback until it is told to stop (SIGTERM or SIGINT).",
        discussion: """
            Once it listens, it prints one line: {"listening":"http://127.0.0.1:PORT/v1","port":PORT}.
            Paths below /simulator steer it: see ControlEndpoint.swift.

            A recording is JSON lines: {"text": "…", "content": "…"} answers the message with that text. With
            "again" another content when it is asked once more; "refusal" or "finish_reason" instead of an ordinary
            answer; "body" (or "body_base64") with "status" and "headers" is sent as it is. A message that is not recorded gets the smallest answer the schema allows: no records.
            """
    )

    @Option(help: "A recording. May be given several times.")
    var recording: [String] = []

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = 0

    @Option(help: "The key that must be presented. Without it any key is accepted.")
    var key: String?

    @Option(help: "A file that receives the line printed when ready.")
    var readyFile: String?

    @Option(help: "How long each answer takes, in milliseconds.")
    var latency = 0

    @Option(help: "What is made of a schema: honoured, ignored or refused.")
    var schema = SimulatedOpenAI.Schemas.honoured

    func run() async throws {
        var openai = SimulatedOpenAI(key: key, schemas: schema)
        openai.latency = latency
        for path in recording {
            do {
                try openai.load(try String(contentsOfFile: path, encoding: .utf8))
            } catch {
                throw ValidationError("\(path): \(error)")
            }
        }
        let simulation = Mutex(openai)
        try await SimulatorServer(port: port, base: "/v1", readyFile: readyFile).run { request in
            guard !request.path.hasPrefix("/simulator/") else {
                return simulation.withLock { ControlEndpoint.answer(request, &$0, at: Self.now) }
            }
            let (answer, wait) = simulation.withLock { ($0.begin(request, at: Self.now), $0.latency) }
            if wait > 0 { try? await Task.sleep(for: .milliseconds(wait)) }
            simulation.withLock { $0.end(answer, at: Self.now) }
            return answer
        }
    }

    private static var now: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) }
}

extension SimulatedOpenAI.Schemas: ExpressibleByArgument {}
