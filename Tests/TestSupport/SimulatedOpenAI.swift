package import Foundation
import Model

/// A running `openai-simulator`.
package final class SimulatedOpenAI: Sendable {
    package static let key = "sk-simulated-key"

    private let simulator: RunningSimulator
    /// For `openai.base_url`.
    package var baseURL: String { simulator.address }

    package init(logs: URL, options: [String] = []) async throws {
        simulator = try await RunningSimulator(
            "openai-simulator",
            ["--key", Self.key] + options,
            base: "/v1",
            logs: logs
        )
    }

    /// Records answers: lines of `{"text":…, "content":…}`.
    package func record(_ lines: [String]) async throws {
        try await simulator.order("answers", lines.joined(separator: "\n"))
    }

    /// Sets a fault, as `{"mode": "429", "requests": 2, "retry_after_ms": 300}`.
    package func fault(_ json: String) async throws {
        try await simulator.order("faults", json)
    }

    package func set(_ json: String) async throws {
        try await simulator.order("settings", json)
    }

    /// One of its counts, such as `completions`, `distinct`, `most_under_way`, `too_early` or `requests`.
    package func count(_ name: String) async throws -> Int {
        Int(try await simulator.get("/stats").root.member(name)?.integer ?? -1)
    }

    package func stop() async { await simulator.stop() }
}
