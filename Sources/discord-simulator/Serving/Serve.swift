import ArgumentParser
import Foundation
import Hummingbird
import Logging
import Model

/// `discord-simulator serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves recordings on loopback until it is told to stop (SIGTERM or SIGINT).",
        discussion: """
            Once it listens, it prints one line: {"listening":"http://127.0.0.1:PORT/api/v10","port":PORT}.
            Paths below /simulator steer it: see ControlEndpoint.swift.
            """
    )

    @Option(help: "A recording: JSON lines, each a message or {\"channel\":{…}}. May be given several times.")
    var recording: [String] = []

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = 0

    @Option(help: "The bot's token. Without it any bot token is accepted.")
    var token: String?

    @Option(help: "A file that receives the line printed when ready.")
    var readyFile: String?

    @Option(help: "What a route allows in one channel, such as 5/5s, or none for no limits at all.")
    var limit = "5/5s"

    @Option(help: "What is allowed over all routes, such as 50/1s, or none.")
    var globalLimit = "50/1s"

    @Option(help: "So many invalid answers (401, 403, 429) in ten minutes ban the client.")
    var invalidLimit = 10_000

    @Flag(help: "Serve messages as a bot without the message content switch receives them.")
    var noMessageContent = false

    func run() async throws {
        exitOnSignals()
        var discord = SimulatedDiscord(settings: try settings())
        for path in recording {
            do {
                try RecordingReader.load(path, into: &discord)
            } catch let error as RecordingError {
                throw ValidationError(error.description)
            }
        }
        for id in discord.channels.keys { discord.channels[id]!.seal() }
        var logger = Logger(label: "discord-simulator")
        logger.logLevel = .error
        let app = Application(
            responder: SimulatorResponder(discord),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in announce(port: channel.localAddress?.port ?? port) },
            logger: logger
        )
        try await app.run()
    }

    private func settings() throws -> SimulatedDiscord.Settings {
        func rate(_ text: String, _ option: String) throws -> RateLimits.Rate? {
            if text == "none" { return nil }
            guard let rate = RateLimits.Rate(text) else {
                throw ValidationError("--\(option) must look like 5/5s, or be none")
            }
            return rate
        }
        var settings = SimulatedDiscord.Settings()
        settings.token = token
        settings.rate = try rate(limit, "limit")
        settings.globalRate = try rate(globalLimit, "global-limit")
        settings.invalidLimit = invalidLimit
        settings.hasMessageContent = !noMessageContent
        return settings
    }

    private func announce(port: Int) {
        let line = "{\"listening\":\"http://127.0.0.1:\(port)/api/v10\",\"port\":\(port)}\n"
        if let readyFile {
            do {
                try Data(line.utf8).write(to: URL(fileURLWithPath: readyFile), options: .atomic)
            } catch {
                FileHandle.standardError.write(Data("\(readyFile): \(error.localizedDescription)\n".utf8))
            }
        }
        FileHandle.standardOutput.write(Data(line.utf8))
    }

    /// There is nothing to save, so the process may end wherever it is.
    private func exitOnSignals() {
        for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
    }
}
