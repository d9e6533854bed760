import Foundation

/// A private RabbitMQ that the supervisor runs as two children: an epmd and the node. This prepares their files and
/// says how to start them; it starts nothing itself.
///
/// Everything lives in the folder `broker` of the data folder and listens on loopback only.
package struct ManagedBroker: Sendable, Equatable {
    /// A program to run in the foreground; SIGTERM ends it cleanly.
    package struct Command: Sendable, Equatable {
        /// The program, absolute, then its arguments.
        package let arguments: [String]
        /// The whole environment, not an addition to another.
        package let environment: [String: String]
        /// Accepts TCP connections on 127.0.0.1 once the program is ready.
        package let probePort: Int
    }

    /// `amqp://…`, with the password in it.
    package let url: String
    /// To be started first and stopped last: a node that finds no epmd starts one of its own, which would stay behind.
    package let epmd: Command
    package let node: Command

    /// Writes the configuration, and makes a password and a cookie where there are none yet. Ports, once chosen, are
    /// kept while they are free.
    ///
    /// - Parameter dataFolder: absolute; need not exist.
    /// - Throws: ``ManagedBrokerError``, or what Foundation says of a file that cannot be written.
    package static func prepare(dataFolder: String) throws -> ManagedBroker {
        try prepare(dataFolder: dataFolder, installation: try RabbitMQInstallation.find())
    }

    /// Where the broker of a supervisor that runs is reached; `nil` when none was ever prepared in this folder.
    ///
    /// - Parameter dataFolder: absolute.
    package static func url(dataFolder: String) -> String? {
        let files = BrokerFiles(folder: URL(fileURLWithPath: dataFolder).appending(path: "broker").path)
        guard let ports = files.lastPorts, let password = files.lastPassword else { return nil }
        return "amqp://\(BrokerFiles.user):\(password)@127.0.0.1:\(ports.amqp)/"
    }

    static func prepare(dataFolder: String, installation: RabbitMQInstallation) throws -> ManagedBroker {
        guard dataFolder.hasPrefix("/") else { throw ManagedBrokerError("'\(dataFolder)' is not an absolute path") }
        let files = BrokerFiles(folder: URL(fileURLWithPath: dataFolder).appending(path: "broker").path)
        try files.makeFolders()
        try files.refuseRunningNode()
        let password = try files.secret("password")
        _ = try files.secret(".erlang.cookie", permissions: 0o400)
        let ports = try files.ports()
        try files.writeConfiguration(ports: ports, password: password)

        let environment = files.environment(ports: ports, installation: installation)
        return ManagedBroker(
            url: "amqp://\(BrokerFiles.user):\(password)@127.0.0.1:\(ports.amqp)/",
            epmd: Command(
                arguments: [installation.epmd, "-address", "127.0.0.1", "-port", String(ports.epmd)],
                environment: environment,
                probePort: ports.epmd
            ),
            node: Command(arguments: [installation.server], environment: environment, probePort: ports.amqp)
        )
    }
}

/// Why a managed broker cannot be prepared.
package struct ManagedBrokerError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Where RabbitMQ and Erlang's epmd are installed.
struct RabbitMQInstallation: Sendable, Equatable {
    /// RabbitMQ's own start script. Debian's in /usr/sbin would change to the user rabbitmq.
    let server: String
    let epmd: String

    /// Looks where Debian's packages and the official image install, then along `PATH`.
    static func find(
        path: String = ProcessInfo.processInfo.environment["PATH"] ?? "",
        root: String = "/"
    ) throws -> RabbitMQInstallation {
        let server =
            versions(of: "rabbitmq_server-", in: root + "usr/lib/rabbitmq/lib").map { $0 + "/sbin/rabbitmq-server" }
            + ["opt/rabbitmq/sbin/rabbitmq-server", "usr/local/opt/rabbitmq/sbin/rabbitmq-server"].map { root + $0 }
        let epmd =
            path.split(separator: ":").map { $0 + "/epmd" }
            + ["usr/lib/erlang", "usr/local/lib/erlang", "opt/erlang/lib/erlang"].flatMap {
                versions(of: "erts-", in: root + $0).map { $0 + "/bin/epmd" }
            }
        let files = FileManager.default
        guard let server = server.first(where: files.isExecutableFile) else {
            throw ManagedBrokerError("RabbitMQ is not installed; install rabbitmq-server, or set broker.url")
        }
        guard let epmd = epmd.first(where: files.isExecutableFile) else {
            throw ManagedBrokerError("Erlang's epmd is not installed; install erlang-base, or set broker.url")
        }
        return RabbitMQInstallation(server: server, epmd: epmd)
    }

    /// The folders named with this prefix, the newest version first.
    private static func versions(of prefix: String, in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix(prefix) }
            .sorted { $0.compare($1, options: .numeric) == .orderedDescending }
            .map { "\(folder)/\($0)" }
    }
}
