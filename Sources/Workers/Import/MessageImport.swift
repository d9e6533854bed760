import Foundation
package import Messaging
package import Model

/// Publishes the messages of files as pages, as fetch would, each confirmed before the next are read.
package struct MessageImport {
    package struct Report: Sendable, Codable, Equatable {
        /// Messages whose publish was confirmed.
        package var imported = 0
        /// System messages, which fetch passes over too.
        package var ignored = 0
        /// Elements that are no messages.
        package var bad = 0
        /// Imported messages of channels that the pipeline does not name, by channel.
        package var otherChannels: [String: Int] = [:]

        package init() {}
    }

    /// How far an import has come: every element before it is confirmed, ignored or reported.
    package struct Position: Sendable, Codable, Equatable {
        package var file = 0
        /// The first byte of that file that is not done.
        package var offset = 0
        package var report = Report()

        package init() {}
    }

    /// Published together: a few pages, so that a confirm is not waited for with each.
    private static let batchMessages = 1_600
    private static let batchBytes = 2 << 20
    private static let chunk = 1 << 18

    private let publishing: OperatorPublishing
    private let topology: Topology
    private let pipeline: String
    private let channels: Set<Snowflake>

    /// - Parameter channels: those the pipeline names.
    package init(publishing: OperatorPublishing, topology: Topology, pipeline: String, channels: Set<Snowflake>) {
        self.publishing = publishing
        self.topology = topology
        self.pipeline = pipeline
        self.channels = channels
    }

    /// - Parameters:
    ///   - files: their paths.
    ///   - start: where an earlier import of the same files was cut off.
    ///   - problem: told `file:line: what`, for each element that is passed over.
    ///   - progress: told after each confirm, with the bytes of the file that are done.
    /// - Throws: ``ImportProblem`` for a file that cannot be read at all or is none of the known kinds.
    package func run(
        _ files: [String],
        from start: Position,
        problem: (String) -> Void,
        waiting: () -> Void,
        progress: (Position) throws -> Void
    ) async throws -> Report {
        var position = start
        while position.file < files.count {
            try await run(files[position.file], &position, problem, waiting, progress)
            position.file += 1
            position.offset = 0
            try progress(position)
        }
        return position.report
    }

    private func run(
        _ path: String,
        _ position: inout Position,
        _ problem: (String) -> Void,
        _ waiting: () -> Void,
        _ progress: (Position) throws -> Void
    ) async throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw ImportProblem("\(path): \(String(cString: strerror(errno)).lowercased())")
        }
        defer { try? file.close() }
        var bytes = try file.read(upToCount: Self.chunk) ?? Data()
        guard let format = ElementScanner.format(of: Array(bytes.prefix(4096))) else {
            throw ImportProblem(
                "\(path): neither JSON lines of Discord messages nor an export of DiscordChatExporter (JSON)"
            )
        }
        var scanner = ElementScanner(format: format)
        var reader = ElementReader(path: path, format: format)
        var batch = Batch()
        // A JSON line may begin with a byte order mark.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = Data([0x20, 0x20, 0x20] + bytes.dropFirst(3)) }
        while true {
            let elements = bytes.isEmpty ? scanner.finish() : scanner.take(bytes)
            for element in elements where element.end > position.offset || element.problem != nil {
                batch.end = element.end
                switch reader.read(element, preamble: scanner.preamble) {
                case .message(let message): batch.add(message)
                case .ignored: batch.ignored += 1
                case .bad(let sentence):
                    batch.bad += 1
                    problem(sentence)
                case .blank: break
                }
                if batch.payloads.count >= Self.batchMessages || batch.bytes >= Self.batchBytes {
                    try await publish(&batch, &position, waiting)
                    try progress(position)
                }
            }
            if bytes.isEmpty { break }
            bytes = try file.read(upToCount: Self.chunk) ?? Data()
        }
        try await publish(&batch, &position, waiting)
    }

    /// What was read and is not confirmed yet.
    private struct Batch {
        var payloads: [[UInt8]] = []
        var ids: [Snowflake] = []
        var channels: [Snowflake: Int] = [:]
        var bytes = 0
        var ignored = 0
        var bad = 0
        var end = 0

        mutating func add(_ message: Message) {
            payloads.append(message.payload)
            ids.append(message.id)
            channels[message.channelID, default: 0] += 1
            bytes += message.payload.count
        }
    }

    private func publish(_ batch: inout Batch, _ position: inout Position, _ waiting: () -> Void) async throws {
        var first = 0
        let messages = Page.pack(batch.payloads).map { page in
            defer { first += page.count }
            var headers = WireHeaders(pipeline: pipeline)
            headers.firstAt = .now
            return OutgoingMessage(
                exchange: topology.workExchange,
                routingKey: Topology.parse,
                type: WireType.page,
                messageID: "import:\(batch.ids[first])-\(batch.ids[first + page.count - 1])",
                headers: headers,
                body: page.bytes
            )
        }
        if !messages.isEmpty, try await !publishing.publish(messages, waiting: waiting).isEmpty {
            throw WorkerFailure(
                exitCode: ExitCode.unavailable,
                "no queue took the messages; start the supervisor, or run 'chaffinch setup', first"
            )
        }
        position.report.imported += batch.payloads.count
        position.report.ignored += batch.ignored
        position.report.bad += batch.bad
        for (channel, count) in batch.channels where !channels.contains(channel) {
            position.report.otherChannels[channel.description, default: 0] += count
        }
        position.offset = max(position.offset, batch.end)
        batch = Batch()
    }
}

/// Reads the elements of one file as messages.
private struct ElementReader {
    enum Reading {
        case message(Message)
        case ignored
        case bad(String)
        case blank
    }

    let path: String
    let format: ElementScanner.Format
    private var export: ChatExport?

    init(path: String, format: ElementScanner.Format) {
        self.path = path
        self.format = format
    }

    mutating func read(_ element: ElementScanner.Element, preamble: [UInt8]) -> Reading {
        if let problem = element.problem { return .bad("\(path):\(element.line): \(problem)") }
        if element.bytes.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { return .blank }
        do {
            let message = try Message(JSONDocument(try payload(element, preamble)).root)
            guard message.payload.count <= Page.maximumMessageBytes else {
                return .bad("\(path):\(element.line): message \(message.id) is larger than 1 MiB")
            }
            return message.isIngestible ? .message(message) : .ignored
        } catch {
            return .bad("\(path):\(element.line): \(error)")
        }
    }

    private mutating func payload(_ element: ElementScanner.Element, _ preamble: [UInt8]) throws -> [UInt8] {
        guard format == .export else { return element.bytes }
        let export = try export ?? ChatExport(preamble: preamble)
        self.export = export
        return try export.message(element.bytes)
    }
}
