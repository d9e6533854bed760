package import Foundation
import FoundationNetworking
package import Model

/// A simulator's process, and how a test speaks to it.
package final class RunningSimulator: Sendable {
    private let program: RunningProgram
    /// The root of what it serves, as it announced it.
    package let address: String
    private let control: String

    /// - Parameters:
    ///   - binary: `discord-simulator` and the like.
    ///   - base: what the announced address ends in, such as `/v1`.
    package init(_ binary: String, _ arguments: [String], base: String, logs: URL) async throws {
        let ready = logs.appending(path: "\(binary).json")
        try? FileManager.default.removeItem(at: ready)
        let program = try RunningProgram(
            Project.binary(binary),
            arguments + ["--ready-file", ready.path],
            logs: logs,
            name: binary
        )
        self.program = program
        var announced: String?
        try await eventually("\(binary) listens") {
            guard program.isRunning else { throw TimedOut(what: "\(binary) ended: \(program.errors)") }
            guard let text = try? String(contentsOf: ready, encoding: .utf8), let json = try? JSONDocument(text) else {
                return false
            }
            announced = json.root["listening"]?.string
            return announced != nil
        }
        address = announced ?? ""
        control = address.replacing(base, with: "/simulator")
    }

    package func stop() async { await program.stop() }

    package func get(_ path: String) async throws -> JSONDocument {
        try await send(URLRequest(url: URL(string: control + path)!))
    }

    /// Sends an order to a path below `/simulator`.
    @discardableResult
    package func order(_ path: String, _ json: String) async throws -> JSONDocument {
        var request = URLRequest(url: URL(string: "\(control)/\(path)")!)
        request.httpMethod = "POST"
        request.httpBody = Data(json.utf8)
        return try await send(request)
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
