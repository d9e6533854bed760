internal import Glibc
internal import Model
internal import Processes

/// The throw-away process that reads the user's files. Driven by the supervisor's loop, which it never keeps waiting.
struct CheckProcess {
    static let name = "check"
    private static let maximumReport = 4 << 20

    let pid: Int32
    private let descriptor: Descriptor
    private var splitter = LineSplitter(maximum: CheckProcess.maximumReport, overflow: .discard)
    private(set) var hasHungUp = false

    enum Message {
        case checked
        /// It could not be done, and why.
        case failed(String)
        case report([UInt8])
    }

    /// - Throws: ``SpawnFailure``; ``SupervisionError`` when there is no socket.
    static func start(_ command: [String], environment: [String: String], logs: LogReader) throws -> CheckProcess {
        let (ours, theirs) = try UnixSocket.pair()
        let output = try Descriptor.pipe()
        let error = try Descriptor.pipe()
        var environment = environment
        environment[ControlProtocol.environmentVariable] = "\(ControlProtocol.descriptor)"
        let process = try Spawner.spawn(
            SpawnRequest(
                command: command,
                environment: environment,
                output: output.write,
                error: error.write,
                control: theirs,
                parentDeathSignal: Signals.kill
            )
        )
        logs.attach(ReplicaID(name), pid: process.pid, output: output.read, error: error.read)
        return CheckProcess(pid: process.pid, descriptor: ours)
    }

    private init(pid: Int32, descriptor: Descriptor) {
        self.pid = pid
        self.descriptor = descriptor
    }

    var polled: pollfd { pollfd(fd: hasHungUp ? -1 : descriptor.number, events: Int16(POLLIN), revents: 0) }

    /// What it has said since.
    mutating func receive() -> [Message] {
        var messages: [Message] = []
        while !hasHungUp {
            switch descriptor.read(upTo: 64 << 10) {
            case .bytes(let bytes):
                splitter.append(bytes) { line in
                    messages.append(Self.message(line))
                }
            case .nothingNow: return messages
            case .ended: hasHungUp = true
            }
        }
        return messages
    }

    private static func message(_ line: [UInt8]) -> Message {
        let root = (try? JSONDocument(line))?.root
        switch root?["type"]?.string {
        case "checked": return .checked
        case "failed": return .failed(root?["reason"]?.string ?? "no reason given")
        default: return .report(line)
        }
    }

    func accept() { _ = descriptor.write(Array(#"{"type":"accept"}"#.utf8) + [UInt8(ascii: "\n")]) }

    /// With all it may have started.
    func kill() { _ = Glibc.kill(-pid, SIGKILL) }
}
