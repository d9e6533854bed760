import Foundation
package import Testing

/// The RabbitMQ that `scripts/test` started for tests.
package enum BrokerServer {
    /// `CHAFFINCH_TEST_RABBITMQ_URL`.
    package static var url: String? { value("CHAFFINCH_TEST_RABBITMQ_URL") }

    /// `CHAFFINCH_TEST_RABBITMQCTL`: a program that runs `rabbitmqctl` against that server.
    package static var controlProgram: String? { value("CHAFFINCH_TEST_RABBITMQCTL") }

    /// Where servers are required, a test without one fails instead of being skipped.
    package static var isRequired: Bool { value("CHAFFINCH_TEST_REQUIRE_SERVERS") == "1" }

    /// Runs `rabbitmqctl` and returns what it printed.
    package static func control(_ arguments: String...) async throws -> String {
        guard let program = controlProgram else { throw MissingServer("CHAFFINCH_TEST_RABBITMQCTL is not set") }
        return try await withCheckedThrowingContinuation { continuation in
            let process = Process()
            let output = Pipe()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = arguments
            process.standardOutput = output
            process.terminationHandler = { process in
                let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                if process.terminationStatus == 0 {
                    continuation.resume(returning: text)
                } else {
                    let problem = "rabbitmqctl \(arguments) exited with \(process.terminationStatus)"
                    continuation.resume(throwing: MissingServer(problem))
                }
            }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
    }

    private static func value(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// A server a test needs and did not find.
package struct MissingServer: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips without a RabbitMQ, unless servers are required.
    package static var requiresBroker: Self {
        .enabled(
            if: BrokerServer.url != nil || BrokerServer.isRequired,
            "needs a RabbitMQ: set CHAFFINCH_TEST_RABBITMQ_URL, or run scripts/test"
        )
    }

    /// Skips without a way to control the broker, unless servers are required.
    package static var requiresBrokerControl: Self {
        .enabled(
            if: BrokerServer.controlProgram != nil || BrokerServer.isRequired,
            "needs rabbitmqctl: set CHAFFINCH_TEST_RABBITMQCTL, or run scripts/test"
        )
    }
}
