package import Messaging
package import Model
package import Storage

/// Publishes dead letters again, each to the stage it died in, or all of them to parse.
///
/// The set is frozen before the first is published. Each letter is claimed, published with confirm, then marked. Killed
/// between the last two, it stays claimed, and the next replay publishes it once more under the same `message_id` and
/// `cf-replay`: at least once on the wire, once in the tables.
package struct DeadLetterReplay {
    package struct Report: Sendable, Equatable {
        package var replayed = 0
        /// Of the replayed: those that an earlier replay had claimed and not finished.
        package var takenUp = 0
        /// Those of stages on which nobody works any more, by stage; they are dead as before.
        package var homeless: [String: Int] = [:]
        /// Those that were to go to parse and whose payload cannot be read; they are dead as before.
        package var unreadable = 0
        /// Those that somebody else replayed or discarded meanwhile.
        package var gone = 0

        package init() {}

        package var left: Int { homeless.values.reduce(unreadable, +) }
        package var done: Int { replayed + left + gone }
    }

    /// Letters of one claim: few enough that their payloads may stand in memory together.
    private static let chunk = 50

    private let store: any Store
    private let publisher: Publisher
    private let topology: Topology
    private let pipeline: String
    private let name: String
    private let stages: Set<String>
    private let toParse: Bool

    /// - Parameters:
    ///   - pipeline: the name that letters bear which named none.
    ///   - stages: those on which somebody works. What is published to another one would wait there for ever.
    ///   - toParse: whether the messages go to parse, wherever they died; deletions go where they died all the same.
    package init(
        store: any Store,
        publisher: Publisher,
        topology: Topology,
        pipeline: String,
        stages: Set<String>,
        toParse: Bool = false,
        startedAt: Timestamp
    ) {
        self.store = store
        self.publisher = publisher
        self.topology = topology
        self.pipeline = pipeline
        self.stages = stages
        self.toParse = toParse
        name = "r\(startedAt.microseconds / 1000)-\(String(UInt32.random(in: 0...UInt32.max), radix: 36))"
    }

    /// - Parameters:
    ///   - ids: the frozen set, in the order of publishing.
    ///   - rate: letters a second at most; `nil`: as fast as the broker confirms.
    ///   - progress: told after each step how far it is.
    ///   - waiting: told when a queue is full.
    /// - Throws: ``StoreError`` and what publishing throws. What was claimed then stays so, for the next replay.
    package func run(
        _ ids: [String],
        rate: Int? = nil,
        progress: (Report) -> Void = { _ in },
        waiting: () -> Void = {}
    ) async throws -> Report {
        var report = Report()
        let size = min(Self.chunk, rate ?? Self.chunk)
        var next = ContinuousClock.now
        for start in stride(from: 0, to: ids.count, by: size) {
            let chunk = Array(ids[start..<min(start + size, ids.count)])
            try await Task.sleep(until: next)
            if let rate { next = max(next, .now) + .seconds(1) * chunk.count / rate }
            try await replay(chunk, &report, waiting)
            progress(report)
        }
        return report
    }

    private func replay(_ ids: [String], _ report: inout Report, _ waiting: () -> Void) async throws {
        let claimed = try await untilAvailable { try await store.claimDeadLetters(ids, for: name) }
        var (messages, letters, back): ([OutgoingMessage], [DeadLetter], [String]) = ([], [], [])
        for entry in claimed {
            guard let message = message(entry) else {
                report.unreadable += 1
                back.append(entry.letter.id)
                continue
            }
            guard stages.contains(message.routingKey) else {
                report.homeless[entry.letter.stage, default: 0] += 1
                back.append(entry.letter.id)
                continue
            }
            messages.append(message)
            letters.append(entry.letter)
        }
        let returned = try await OperatorPublishing(publisher: publisher).publish(messages, waiting: waiting)
        for place in returned {
            report.homeless[letters[place].stage, default: 0] += 1
            back.append(letters[place].id)
        }
        let done = letters.indices.filter { !returned.contains($0) }.map { letters[$0].id }
        try await untilAvailable { try await store.finishReplay(of: done) }
        if !back.isEmpty { try await untilAvailable { try await store.giveUpReplay(of: back) } }
        report.replayed += done.count
        report.takenUp += claimed.count { $0.replayedBy != name && !back.contains($0.letter.id) }
        report.gone += ids.count - claimed.count
    }

    /// - Returns: `nil` when it is to go to parse, and its payload holds no messages that can be told apart.
    private func message(_ entry: DeadLetterEntry) -> OutgoingMessage? {
        let letter = entry.letter
        var headers = WireHeaders(pipeline: letter.pipeline ?? pipeline)
        headers.firstAt = letter.firstAt
        headers.replay = entry.replayedBy ?? name
        var message = OutgoingMessage(
            exchange: topology.workExchange,
            routingKey: letter.stage,
            type: letter.type,
            messageID: letter.messageID ?? String(letter.id.dropFirst(letter.stage.utf8.count + 1)),
            headers: headers,
            body: Self.page(letter.payload)
        )
        guard toParse, letter.stage != Topology.parse, letter.type != WireType.delete else { return message }
        guard let page = try? RecordBatch.page(of: letter.payload) else { return nil }
        message.routingKey = Topology.parse
        message.type = WireType.page
        message.body = page
        return message
    }

    /// A message that died alone becomes a page of one; every work queue holds arrays.
    private static func page(_ payload: [UInt8]) -> [UInt8] {
        let whitespace: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        guard payload.first(where: { !whitespace.contains($0) }) == UInt8(ascii: "{") else { return payload }
        return Page.alone(payload)
    }

    /// A database that another process keeps busy for a while is no reason to stop half-way.
    private func untilAvailable<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(5))
        while true {
            do {
                return try await body()
            } catch let error as StoreError where error.code == .unavailable && backoff.attempts < 6 {
                try await Task.sleep(for: backoff.next())
            }
        }
    }
}
