import Foundation
import TestSupport

/// A private RabbitMQ and a private Postgres, which a case may stop and kill, behind proxies whose ports stay.
final class Servers {
    let folder: TemporaryFolder
    let broker: FaultProxy
    let database: FaultProxy
    let brokerURL: String
    let databaseURL: String
    /// Past the proxy, for looking at the rows.
    let directDatabaseURL: String

    init() async throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        // The server's own user must be able to reach its folder.
        try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: folder.url.path)
        let lines = try await Self.shell(
            folder,
            "rabbitmq_start $DIR/mq && postgres_start $DIR/pg && echo $RABBITMQ_URL && echo $DATABASE_URL"
        ).split(separator: "\n").map(String.init)
        directDatabaseURL = lines[lines.count - 1]
        let brokerPort = try Self.port(in: lines[lines.count - 2])
        broker = try FaultProxy(to: brokerPort)
        brokerURL = lines[lines.count - 2].replacing(":\(brokerPort)", with: ":\(broker.port)")
        let databasePort = try Self.port(in: directDatabaseURL)
        database = try FaultProxy(to: databasePort)
        databaseURL = directDatabaseURL.replacing(":\(databasePort)", with: ":\(database.port)")
    }

    /// Runs shell commands with the libraries of `scripts/lib`; `$DIR` holds `mq` and `pg`.
    @discardableResult
    func shell(_ commands: String) async throws -> String { try await Self.shell(folder, commands) }

    /// Starts the broker again, which takes new ports.
    func startBroker() async throws {
        let url = try await shell("rabbitmq_start $DIR/mq && echo $RABBITMQ_URL")
        broker.retarget(to: try Self.port(in: url))
    }

    var brokerPID: Int32? {
        let text = try? String(contentsOf: folder.url.appending(path: "mq/node.pid"), encoding: .utf8)
        return text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    func heal() {
        for proxy in [broker, database] {
            proxy.set(.none)
            proxy.watch(nil)
        }
    }

    /// Ends every program that was started, and the servers; from outside any task.
    var cleanUp: @Sendable () -> Void {
        let path = folder.url.path
        let programs = "for pid in $(ps -o pid= --ppid \(getpid())); do [ $pid = $$ ] || kill $pid; done"
        return {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            process.arguments = [
                "-c",
                "\(programs); . scripts/lib/rabbitmq.sh; . scripts/lib/postgres.sh; rabbitmq_stop $0/mq; postgres_stop $0/pg",
                path,
            ]
            process.currentDirectoryURL = Project.root
            try? process.run()
            process.waitUntilExit()
        }
    }

    func stop() async {
        _ = try? await shell("rabbitmq_stop $DIR/mq; postgres_stop $DIR/pg")
        broker.stop()
        database.stop()
    }

    /// Messages that wait in any queue of a pipeline.
    ///
    /// - Parameter folder: that of the pipeline's own broker; `nil` for the one that all share.
    func queued(prefix: String, managedIn folder: String?) async throws -> Int {
        let list = "list_queues name messages"
        let lines: String
        if let folder {
            // Its node is named for its folder, and only its epmd knows how.
            lines = try await shell(
                """
                export HOME='\(folder)' RABBITMQ_CONF_ENV_FILE=/dev/null ERL_EPMD_PORT
                ERL_EPMD_PORT=$(sed 's/.*"epmd":\\([0-9]*\\).*/\\1/' '\(folder)/ports.json')
                node=$("$(_rabbitmq_epmd)" -names | sed -n 's/^name \\(chaffinch[^ ]*\\) at port.*/\\1/p')
                "$(_rabbitmq_home)/sbin/rabbitmqctl" --quiet --node "$node@localhost" \(list)
                """
            )
        } else {
            lines = try await shell("rabbitmq_ctl $DIR/mq \(list)")
        }
        return lines.split(separator: "\n").reduce(0) { sum, line in
            let words = line.split(separator: "\t")
            guard words.count == 2, words[0].hasPrefix(prefix) else { return sum }
            return sum + (Int(words[1]) ?? 0)
        }
    }

    private static func port(in url: String) throws -> UInt16 {
        guard let match = url.firstMatch(of: /@127\.0\.0\.1:(\d+)/), let port = UInt16(match.1) else {
            throw TimedOut(what: "a server's URL")
        }
        return port
    }

    private static func shell(_ folder: TemporaryFolder, _ commands: String) async throws -> String {
        let result = try await RunningProgram.run(
            "/bin/bash",
            ["-c", ". scripts/lib/rabbitmq.sh; . scripts/lib/postgres.sh; \(commands)"],
            environment: ["DIR": folder.url.path],
            in: Project.root
        )
        guard result.exitCode == 0 else { throw TimedOut(what: "\(commands): \(result.errors)") }
        return result.output
    }
}
