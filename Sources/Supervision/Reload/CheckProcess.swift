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
                    let isChecked = (try? JSONDocument(line))?.root["type"]?.string == "checked"
                    messages.append(isChecked ? .checked : .report(line))
                }
            case .nothingNow: return messages
            case .ended: hasHungUp = true
            }
        }
        return messages
    }

    func accept() { _ = descriptor.write(Array(#"{"type":"accept"}"#.utf8) + [UInt8(ascii: "\n")]) }

    /// With all it may have started.
    func kill() { _ = Glibc.kill(-pid, SIGKILL) }
}
