import ArgumentParser
import Foundation
import Model
import SimulatorKit
import Synchronization

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
        var discord = SimulatedDiscord(settings: try settings())
        for path in recording {
            do {
                try RecordingReader.load(path, into: &discord)
            } catch let error as RecordingError {
                throw ValidationError(error.description)
            }
        }
        for id in discord.channels.keys { discord.channels[id]!.seal() }
        let simulation = Mutex(discord)
        try await SimulatorServer(port: port, base: "/api/v10", readyFile: readyFile).run { request in
            simulation.withLock { Self.answer(request, &$0) }
        }
    }

    private static func answer(_ request: APIRequest, _ discord: inout SimulatedDiscord) -> Answer {
        let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        if request.path == "/gateway" { return .gatewayNotServed }
        guard request.path.hasPrefix("/simulator/") else { return discord.answer(request, at: now) }
        return ControlEndpoint.answer(request, &discord, at: now)
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
}

extension Answer {
    fileprivate static let gatewayNotServed = error(
        501,
        code: 0,
        "The simulator serves the REST interface only; there is no gateway."
    )
}
