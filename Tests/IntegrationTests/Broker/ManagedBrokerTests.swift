import Foundation
import Logging
import TestSupport
import Testing

@testable import Messaging

@Suite("ManagedBroker")
struct ManagedBrokerTests {
    private let installation = RabbitMQInstallation(server: "/opt/rabbitmq/sbin/rabbitmq-server", epmd: "/opt/epmd")

    private func withDataFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "chaffinch test \(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    @Test("prepares the same broker each time, readable by its owner only")
    func stable() throws {
        try withDataFolder { folder in
            let first = try ManagedBroker.prepare(dataFolder: folder, installation: installation)
            let second = try ManagedBroker.prepare(dataFolder: folder, installation: installation)
            #expect(first == second)
            #expect(try BrokerAddress(first.url).host == "127.0.0.1")
            #expect(try BrokerAddress(first.url).port == first.node.probePort)
            for name in ["rabbitmq.conf", "password", ".erlang.cookie", "ports.json", "enabled_plugins"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/broker/\(name)")
                let permissions = try #require(attributes[.posixPermissions] as? Int)
                #expect(permissions & 0o077 == 0, "\(name)")
            }
        }
    }

    @Test("takes other ports when one is taken")
    func takenPort() throws {
        try withDataFolder { folder in
            let first = try ManagedBroker.prepare(dataFolder: folder, installation: installation)
            let listener = try #require(Listener(port: first.node.probePort))
            let second = try ManagedBroker.prepare(dataFolder: folder, installation: installation)
            #expect(second.node.probePort != first.node.probePort)
            listener.close()
        }
    }

    @Test("keeps password and configuration out of arguments and environment")
    func secrets() throws {
        try withDataFolder { folder in
            let broker = try ManagedBroker.prepare(dataFolder: folder, installation: installation)
            let password = try BrokerAddress(broker.url).password
            for command in [broker.epmd, broker.node] {
                #expect(!command.arguments.contains { $0.contains(password) })
                #expect(!command.environment.values.contains { $0.contains(password) })
            }
        }
    }

    @Test("two data folders make two nodes")
    func names() {
        #expect(BrokerFiles(folder: "/a/broker").nodeName != BrokerFiles(folder: "/b/broker").nodeName)
    }

    @Test(
        "starts, serves a pipeline's queues, keeps them over a restart, and leaves no process behind",
        .requiresBroker
    )
    func lifecycle() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "chaffinch-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let topology = Topology(prefix: "managed")
        let logger = Logger(label: "managed")
        for isRestarted in [false, true] {
            let broker = try ManagedBroker.prepare(dataFolder: folder)
            let address = try BrokerAddress(broker.url)
            let epmd = try await RunningCommand(broker.epmd)
            try await epmd.waitUntilListening()
            let node = try await RunningCommand(broker.node)
            try await node.waitUntilListening()

            try await TopologySetup.declare(topology, at: address, logger: logger)
            let publisher = Publisher(address: address, name: "test", logger: logger)
            let consumer = Consumer(
                address: address,
                queues: [topology.workQueue(Topology.parse)],
                name: "test",
                logger: logger
            )
            if isRestarted {
                let delivery = try await nextDelivery(of: consumer)
                #expect(delivery.messageID == "kept")
                consumer.acknowledge(delivery)
            } else {
                await consumer.stop()
                let message = OutgoingMessage(
                    exchange: topology.workExchange,
                    routingKey: Topology.parse,
                    messageID: "kept",
                    headers: WireHeaders(pipeline: "test"),
                    body: Array("[]".utf8)
                )
                #expect(try await publisher.publish(message) == .confirmed)
            }
            await consumer.close()
            await publisher.close()
            #expect(throws: ManagedBrokerError.self) { try ManagedBroker.prepare(dataFolder: folder) }
            #expect(await node.stop() == 0)
            _ = await epmd.stop()
            #expect(try processes(with: folder) == [])
        }
    }

    /// The command lines of all processes that have this folder as their home.
    private func processes(with folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.compactMap { pid in
            guard let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ"),
                String(decoding: environment, as: UTF8.self).contains("HOME=\(folder)/broker")
            else { return nil }
            let arguments = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
            return arguments.isEmpty ? nil : String(decoding: arguments, as: UTF8.self)
        }
    }

    @Test("without RabbitMQ the error says what to do")
    func missing() throws {
        let error = #expect(throws: ManagedBrokerError.self) {
            try RabbitMQInstallation.find(path: "", root: "/nonexistent/")
        }
        #expect(error?.description == "RabbitMQ is not installed; install rabbitmq-server, or set broker.url")
        #expect(throws: ManagedBrokerError.self) { try ManagedBroker.prepare(dataFolder: "data") }
    }
}

/// One of a managed broker's commands as a child of the test.
private final class RunningCommand: Sendable {
    private let port: Int
    private let pid: Int32
    private let exit: AsyncStream<Int32>

    init(_ command: ManagedBroker.Command) async throws {
        let (exit, continuation) = AsyncStream.makeStream(of: Int32.self)
        pid = try await onOwnThread(named: "spawn") {
            // A child inherits what its parent's thread blocks, and threads that run tasks block SIGTERM.
            var none = sigset_t()
            sigemptyset(&none)
            pthread_sigmask(SIG_SETMASK, &none, nil)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: command.arguments[0])
            process.arguments = Array(command.arguments.dropFirst())
            process.environment = command.environment
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            process.terminationHandler = { process in
                continuation.yield(process.terminationStatus)
                continuation.finish()
            }
            try process.run()
            return process.processIdentifier
        }
        port = command.probePort
        self.exit = exit
    }

    func waitUntilListening() async throws {
        let end = ContinuousClock.now + .seconds(90)
        while LoopbackPort.isFree(port) {
            guard ContinuousClock.now < end else { throw MissingServer("port \(port) did not open") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func stop() async -> Int32? {
        kill(pid, SIGTERM)
        return await exit.first { _ in true }
    }
}

/// Holds a loopback port.
private struct Listener {
    private let descriptor: Int32

    init?(port: Int) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0, listen(descriptor, 1) == 0 else { return nil }
    }

    func close() {
        Foundation.close(descriptor)
    }
}
