package import Foundation
import FoundationNetworking
package import Model

/// A running `discord-simulator`.
package final class SimulatedDiscord: Sendable {
    package static let token = "simulated-token"

    private let program: RunningProgram
    /// The API's root, for `discord.api`.
    package let api: String

    private var control: String { api.replacing("/api/v10", with: "/simulator") }

    package init(recordings: [URL], logs: URL, options: [String] = ["--limit", "none"]) async throws {
        let ready = logs.appending(path: "simulator.json")
        let recordingOptions = recordings.flatMap { ["--recording", $0.path] }
        let program = try RunningProgram(
            Project.binary("discord-simulator"),
            ["serve", "--token", Self.token, "--ready-file", ready.path] + recordingOptions + options,
            logs: logs,
            name: "simulator"
        )
        self.program = program
        var address: String?
        try await eventually("the simulator listens") {
            guard program.isRunning else { throw TimedOut(what: "the simulator ended: \(program.errors)") }
            guard let text = try? String(contentsOf: ready, encoding: .utf8), let json = try? JSONDocument(text) else {
                return false
            }
            address = json.root["listening"]?.string
            return address != nil
        }
        api = address ?? ""
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
        let json = try await get("/ids?channel=\(channel)")
        return Set(json.root.elements.compactMap(\.string))
    }

    /// Counts over all channels: what it could serve, and what it did serve, of types that become traffic.
    package func counts() async throws -> (ingestible: Int64, served: Int64) {
        let json = try await get("/stats")
        var total: (Int64, Int64) = (0, 0)
        for (_, channel) in json.root["channels"]?.members.map({ $0 }) ?? [] {
            total.0 += channel["ingestible"]?.integer ?? 0
            total.1 += channel["served_ids"]?.integer ?? 0
        }
        return total
    }

    package func requests() async throws -> Int64 {
        try await get("/stats").root["requests"]?.integer ?? 0
    }

    /// Adds or edits a message, or sets a fault; `path` is `messages` or `faults`.
    @discardableResult
    package func order(_ path: String, _ json: String) async throws -> JSONDocument {
        var request = URLRequest(url: URL(string: "\(control)/\(path)")!)
        request.httpMethod = "POST"
        request.httpBody = Data(json.utf8)
        return try await send(request)
    }

    package func stop() async { await program.stop() }

    private func get(_ path: String) async throws -> JSONDocument {
        try await send(URLRequest(url: URL(string: control + path)!))
    }

    private func send(_ request: URLRequest) async throws -> JSONDocument {
        let (data, response) = try await URLSession.shared.data(for: request)
        let text = String(decoding: data, as: UTF8.self)
        guard let status = (response as? HTTPURLResponse)?.statusCode, (200..<300).contains(status) else {
            throw TimedOut(what: "the simulator refused \(request.url?.path ?? ""): \(text)")
        }
        return try JSONDocument(text)
    }
}
