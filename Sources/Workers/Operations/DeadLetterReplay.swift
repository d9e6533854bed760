package import Messaging
package import Model
package import Storage

/// Publishes dead letters again, each to the stage it died in.
///
/// The set is frozen before the first is published. Each letter is claimed, published with confirm, then marked. Killed
/// between the last two, it stays claimed, and the next replay publishes it once more under the same `message_id` and
/// `cf-replay`: at least once on the wire, once in the tables.
package struct DeadLetterReplay {
    package struct Report: Sendable, Equatable {
        package var replayed = 0
        /// Of the replayed: those that an earlier replay had claimed and not finished.
        package var takenUp = 0
        /// Those whose stage has no queue any more; they are dead as before.
        package var homeless = 0
        /// Those that somebody else replayed or discarded meanwhile.
        package var gone = 0

        package init() {}

        package var done: Int { replayed + homeless + gone }
    }

    /// Letters of one claim: few enough that their payloads may stand in memory together.
    private static let chunk = 50

    private let store: any Store
    private let publisher: Publisher
    private let topology: Topology
    private let pipeline: String
    private let name: String

    /// - Parameter pipeline: the name that letters bear which named none.
    package init(store: any Store, publisher: Publisher, topology: Topology, pipeline: String, startedAt: Timestamp) {
        self.store = store
        self.publisher = publisher
        self.topology = topology
        self.pipeline = pipeline
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
        let homeless = try await OperatorPublishing(publisher: publisher).publish(
            claimed.map(message),
            waiting: waiting
        )
        let back = homeless.map { claimed[$0].letter.id }
        let done = claimed.indices.filter { !homeless.contains($0) }.map { claimed[$0].letter.id }
        try await untilAvailable { try await store.finishReplay(of: done) }
        if !back.isEmpty { try await untilAvailable { try await store.giveUpReplay(of: back) } }
        report.replayed += done.count
        report.takenUp += claimed.count { $0.replayedBy != name }
        report.homeless += back.count
        report.gone += ids.count - claimed.count
    }

    private func message(_ entry: DeadLetterEntry) -> OutgoingMessage {
        let letter = entry.letter
        var headers = WireHeaders(pipeline: letter.pipeline ?? pipeline)
        headers.firstAt = letter.firstAt
        headers.replay = entry.replayedBy ?? name
        return OutgoingMessage(
            exchange: topology.workExchange,
            routingKey: letter.stage,
            type: letter.type,
            messageID: letter.messageID ?? String(letter.id.dropFirst(letter.stage.utf8.count + 1)),
            headers: headers,
            body: Self.page(letter.payload)
        )
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
