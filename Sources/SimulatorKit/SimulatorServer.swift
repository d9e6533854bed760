import Foundation
import Hummingbird
import Logging

/// Serves a simulation on loopback.
package struct SimulatorServer {
    /// The port to listen on; 0 takes a free one.
    let port: Int
    /// What follows the address in what is announced, such as `/v1`.
    let base: String
    /// A file that receives the line printed when ready.
    let readyFile: String?

    package init(port: Int, base: String, readyFile: String?) {
        self.port = port
        self.base = base
        self.readyFile = readyFile
    }

    /// Answers requests until the process is told to stop (SIGTERM or SIGINT). Once it listens, it prints one line:
    /// `{"listening":"http://127.0.0.1:PORT/…","port":PORT}`.
    package func run(_ answer: @escaping @Sendable (APIRequest) async -> Answer) async throws {
        // There is nothing to save, so the process may end wherever it is.
        for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
        var logger = Logger(label: "simulator")
        logger.logLevel = .error
        let app = Application(
            responder: SimulatorResponder(answer: answer),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in announce(port: channel.localAddress?.port ?? port) },
            logger: logger
        )
        try await app.run()
    }

    private func announce(port: Int) {
        let line = "{\"listening\":\"http://127.0.0.1:\(port)\(base)\",\"port\":\(port)}\n"
        if let readyFile {
            do {
                try Data(line.utf8).write(to: URL(fileURLWithPath: readyFile), options: .atomic)
            } catch {
                FileHandle.standardError.write(Data("\(readyFile): \(error.localizedDescription)\n".utf8))
            }
        }
        FileHandle.standardOutput.write(Data(line.utf8))
    }
}
