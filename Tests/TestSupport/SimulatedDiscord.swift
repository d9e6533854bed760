package import Foundation
package import Model

/// A running `discord-simulator`.
package final class SimulatedDiscord: Sendable {
    package static let token = "simulated-token"

    private let simulator: RunningSimulator
    /// The API's root, for `discord.api`.
    package var api: String { simulator.address }

    package init(recordings: [URL], logs: URL, options: [String] = ["--limit", "none"]) async throws {
        simulator = try await RunningSimulator(
            "discord-simulator",
            ["serve", "--token", Self.token] + recordings.flatMap { ["--recording", $0.path] } + options,
            base: "/api/v10",
            logs: logs
        )
    }

    /// Makes a recording with `discord-simulator record`.
    package static func record(_ arguments: [String], to file: URL) async throws {
        let result = try await RunningProgram.run(
            Project.binary("discord-simulator"),
            ["record"] + arguments + ["--output", file.path]
        )
        guard result.exitCode == 0 else { throw TimedOut(what: "recording: \(result.errors)") }
    }

    /// Ids of all messages it holds of types that become traffic.
    package func ingestibleIDs(channel: String) async throws -> Set<String> {
        let json = try await simulator.get("/ids?channel=\(channel)")
        return Set(json.root.elements.compactMap(\.string))
    }

    /// Counts over all channels: what it could serve, and what it did serve, of types that become traffic.
    package func counts() async throws -> (ingestible: Int64, served: Int64) {
        let json = try await simulator.get("/stats")
        var total: (Int64, Int64) = (0, 0)
        for (_, channel) in json.root["channels"]?.members.map({ $0 }) ?? [] {
            total.0 += channel["ingestible"]?.integer ?? 0
            total.1 += channel["served_ids"]?.integer ?? 0
        }
        return total
    }

    package func requests() async throws -> Int64 {
        try await simulator.get("/stats").root["requests"]?.integer ?? 0
    }

    /// Adds or edits a message, or sets a fault; `path` is `messages` or `faults`.
    @discardableResult
    package func order(_ path: String, _ json: String) async throws -> JSONDocument {
        try await simulator.order(path, json)
    }

    package func stop() async { await simulator.stop() }
}
