import Foundation
import TestSupport
import Testing

/// The servers that `scripts/test` started.
enum Servers {
    static let rabbitmq = ProcessInfo.processInfo.environment["CHAFFINCH_TEST_RABBITMQ_URL"]
    static let postgres = DatabaseServers.postgresURL
    static var areThere: Bool { (rabbitmq != nil && postgres != nil) || DatabaseServers.areRequired }
}

extension Trait where Self == ConditionTrait {
    static var needsServers: Self {
        .enabled(if: Servers.areThere, "needs RabbitMQ and Postgres; run scripts/test, which starts them")
    }

    static var needsSharedData: Self {
        .enabled(if: Project.sharedData != nil, Comment(rawValue: Project.missingSharedData))
    }
}
