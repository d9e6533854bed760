internal import Glibc
internal import Model
internal import Processes

/// The supervisor's end of one child's control socket. It never blocks, and nothing a child writes can do more than
/// be counted.
struct ControlChannel {
    /// What a child that does not read may make us keep.
    private static let maximumPending = 64 * 1024
    /// Read at one turn; a child that has more than this to say is left alone for a while, so that a flood keeps
    /// nobody waiting and costs little.
    private static let bytesAtOnce = ControlProtocol.maximumLineBytes
    private static let restAfterFlood = Duration.milliseconds(50)

    private(set) var descriptor: Descriptor?
    private var splitter = LineSplitter(maximum: ControlProtocol.maximumLineBytes, overflow: .discard)
    private var pending: [UInt8] = []
    private var unreadable = 0
    /// The beginning of the first line that was no message, for people; `nil` for one that was too long to keep.
    private(set) var firstBadLine: String?
    private static let shownOfBadLine = 120
    /// Until when nothing is read from a child that floods.
    private(set) var restsUntil: Duration?

    /// Lines that were no messages of the protocol: too long, not UTF-8, not JSON, or unknown.
    var badLines: Int { unreadable + splitter.discarded }

    var wantsToWrite: Bool { descriptor != nil && !pending.isEmpty }

    /// A connected pair: ours, and the end that becomes the child's descriptor 3.
    static func pair() throws -> (ControlChannel, child: Descriptor) {
        let (ours, child) = try UnixSocket.pair()
        return (ControlChannel(descriptor: ours), child)
    }

    private init(descriptor: Descriptor) {
        self.descriptor = descriptor
    }

    /// What to poll for; nothing while it rests.
    func events(at now: Duration) -> Int16 {
        let reads = restsUntil.map { $0 <= now } ?? true
        return Int16((reads ? POLLIN : 0) | (wantsToWrite ? POLLOUT : 0))
    }

    /// The messages that have come.
    mutating func receive(at now: Duration) -> [ChildMessage] {
        restsUntil = nil
        guard let descriptor else { return [] }
        var messages: [ChildMessage] = []
        var unreadable: [[UInt8]] = []
        var total = 0
        reading: while total < Self.bytesAtOnce {
            switch descriptor.read(upTo: Self.bytesAtOnce) {
            case .bytes(let bytes):
                total += bytes.count
                splitter.append(bytes) { line in
                    if let message = Self.message(line) { messages.append(message) } else { unreadable.append(line) }
                }
            case .nothingNow: break reading
            case .ended:
                // The child may have closed it deliberately; only its wait status says that it is gone.
                self.descriptor = nil
                break reading
            }
        }
        if badLines == 0 {
            firstBadLine = unreadable.first.map { LogFormatter.printable(Array($0.prefix(Self.shownOfBadLine))) }
        }
        self.unreadable += unreadable.count
        if total >= Self.bytesAtOnce { restsUntil = now + Self.restAfterFlood }
        return messages
    }

    /// Garbage is mostly told by its first character, without the work of reading it.
    private static func message(_ line: [UInt8]) -> ChildMessage? {
        let first = line.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
        return first == UInt8(ascii: "{") ? ChildMessage(line: line) : nil
    }

    mutating func send(_ message: SupervisorMessage) {
        guard descriptor != nil, pending.count < Self.maximumPending else { return }
        pending += message.line + [UInt8(ascii: "\n")]
        flush()
    }

    mutating func flush() {
        guard let descriptor, !pending.isEmpty else { return }
        switch descriptor.write(pending) {
        case .wrote(let count): pending.removeFirst(count)
        case .nothingNow: break
        case .failed: pending = []
        }
    }
}
