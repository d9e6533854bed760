import Foundation
import Model

/// The files of a managed broker, all in one folder.
struct BrokerFiles {
    static let user = "chaffinch"

    struct Ports: Codable, Equatable {
        var amqp: Int
        var epmd: Int
        var distribution: Int

        var all: [Int] { [amqp, epmd, distribution] }
    }

    let folder: String

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    func makeFolders() throws {
        for folder in [folder, path("mnesia"), path("log")] {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        }
    }

    /// Two nodes on one set of files would ruin them. A node that is just ending, since its supervisor was killed, gets
    /// three seconds.
    func refuseRunningNode() throws {
        for _ in 0..<60 where runningNode != nil { usleep(50_000) }
        guard let pid = runningNode else { return }
        throw ManagedBrokerError("a broker still runs on the files in \(folder), as process \(pid)")
    }

    /// RabbitMQ writes its process id, which by now may be another's.
    private var runningNode: Int32? {
        guard let text = try? String(contentsOfFile: path("node.pid"), encoding: .utf8),
            let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)), pid > 0,
            let arguments = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
            String(decoding: arguments, as: UTF8.self).contains(nodeName)
        else { return nil }
        return pid
    }

    /// 128 random bits in hexadecimal, made once.
    func secret(_ name: String, permissions: Int = 0o600) throws -> String {
        if let text = try? String(contentsOfFile: path(name), encoding: .utf8), !text.isEmpty { return text }
        var generator = SystemRandomNumberGenerator()
        let text = (0..<2).map { _ in
            let digits = String(generator.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
        try write(text, to: name, permissions: permissions)
        return text
    }

    /// The ports of the last start while all of them are free, else new ones.
    func ports() throws -> Ports {
        if let ports = lastPorts, ports.all.allSatisfy(LoopbackPort.isFree) { return ports }
        let free = try LoopbackPort.pick(3)
        let ports = Ports(amqp: free[0], epmd: free[1], distribution: free[2])
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try write(String(decoding: try encoder.encode(ports), as: UTF8.self), to: "ports.json")
        return ports
    }

    /// As the last start left them.
    var lastPorts: Ports? {
        FileManager.default.contents(atPath: path("ports.json")).flatMap {
            try? JSONDecoder().decode(Ports.self, from: $0)
        }
    }

    var lastPassword: String? {
        let text = try? String(contentsOfFile: path("password"), encoding: .utf8)
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }

    func writeConfiguration(ports: Ports, password: String) throws {
        // The broker stops taking publishes below this much free disk; its own default of 50 MB is less than one
        // queue may hold.
        try write(
            """
            listeners.tcp.1 = 127.0.0.1:\(ports.amqp)
            default_user = \(Self.user)
            default_pass = \(password)
            disk_free_limit.absolute = 256MB
            vm_memory_high_watermark.relative = 0.4
            log.console = true
            log.console.level = warning
            log.file = false

            """,
            to: "rabbitmq.conf"
        )
        try write("[].\n", to: "enabled_plugins")
        try write("[].\n", to: "advanced.config")
        // Present so that a machine-wide one is not read.
        try write("", to: "rabbitmq-env.conf")
    }

    /// RabbitMQ's scripts read these; its documentation has them under "Environment Variables".
    func environment(ports: Ports, installation: RabbitMQInstallation) -> [String: String] {
        let erlang = [
            "-sname \(nodeName)", "-start_epmd false",
            "-kernel inet_dist_use_interface {127,0,0,1}",
            "-kernel inet_dist_listen_min \(ports.distribution) inet_dist_listen_max \(ports.distribution)",
            // Two schedulers are plenty for one pipeline, and an idle one does not spin.
            "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        ]
        return [
            "HOME": folder,
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"
                + URL(fileURLWithPath: installation.epmd).deletingLastPathComponent().path,
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": String(ports.epmd),
            "ERL_CRASH_DUMP_BYTES": "0",
            "RABBITMQ_NODENAME": nodeName,
            "RABBITMQ_CONF_ENV_FILE": path("rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": path("rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": path("advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": path("enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": path("config"),
            "RABBITMQ_MNESIA_BASE": path("mnesia"),
            "RABBITMQ_LOG_BASE": path("log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": path("node.pid"),
            "RABBITMQ_DIST_PORT": String(ports.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang.joined(separator: " "),
            // The script then becomes the node instead of waiting for it, so that a signal reaches the node.
            "RUNNING_UNDER_SYSTEMD": "true",
        ]
    }

    /// One for each folder, since the node's files are named for it. FNV-1a of the path.
    var nodeName: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in folder.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "chaffinch-\(String(hash, radix: 36))@localhost"
    }

    private func write(_ text: String, to name: String, permissions: Int = 0o600) throws {
        let path = path(name)
        let temporary = path + ".new"
        try? FileManager.default.removeItem(atPath: temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(permissions))
        guard descriptor >= 0 else {
            throw ManagedBrokerError("cannot write \(path): \(String(cString: strerror(errno)))")
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
        guard rename(temporary, path) == 0 else {
            throw ManagedBrokerError("cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }
}

/// TCP ports on 127.0.0.1.
enum LoopbackPort {
    /// Below the range from which the kernel gives ports to outgoing connections (32768 and up on Linux).
    private static let range = 20_000..<32_000

    static func pick(_ count: Int) throws -> [Int] {
        var picked: Set<Int> = []
        for _ in 0..<1000 where picked.count < count {
            let port = Int.random(in: range)
            if isFree(port) { picked.insert(port) }
        }
        guard picked.count == count else {
            throw ManagedBrokerError("no loopback port between 20000 and 32000 is free")
        }
        return Array(picked)
    }

    static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // As servers do: a port that only lingers in TIME_WAIT is free.
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
