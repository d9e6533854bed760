import Logging
import Messaging
import Model
import PipelineFile
import Storage

/// `store`: takes record batches, writes several of them in one transaction, and acknowledges after the commit.
package struct StoreWorker {
    /// A transaction holds at most this many messages, or what came within ``patience``, whichever is first.
    private static let maximumMessages = 2_000
    private static let patience: Duration = .milliseconds(50)

    private let context: WorkerContext
    private let types: [String: RecordType]
    private let keeping: MessageKeeping
    private let store: any Store
    private let publishing: ConfirmedPublishing
    private let consumer: Consumer

    package init(_ context: WorkerContext) throws {
        self.context = context
        types = context.recordTypes
        keeping = context.pipeline.store.messages == .all ? .all : .parsed
        store = try context.openStore()
        publishing = ConfirmedPublishing(context: context, publisher: try context.publisher())
        consumer = try context.consumer(of: [context.topology.workQueue("store")])
    }

    /// Runs until the process drains; what is in hand is finished first.
    package func run() async throws {
        guard try await untilAvailable({ try await store.checkReady() }) != nil else { return }
        try await context.consuming(consumer) { try await work() }
        await publishing.publisher.close()
        await store.close()
    }

    private func work() async throws {
        var totals = WriteTotals()
        while let deliveries = try await collect() {
            var work = decode(deliveries)
            guard let report = try await write(work.batch, failures: &work.dead) else { break }
            guard try await publishing.publish(work.dead) else { break }
            consumer.acknowledge(deliveries)
            totals.add(report, dead: work.dead.count)
            context.control.beat(done: work.batch.count)
            totals.report(to: context.control)
        }
    }

    /// The next deliveries worth a transaction; empty when nothing came for a while, `nil` once the consumer stopped.
    private func collect() async throws -> [Delivery]? {
        guard let event = try await consumer.next(within: .seconds(1)) else { return nil }
        guard case .delivery(let first) = event else { return [] }
        var deliveries = [first]
        var messages = estimatedMessages(first)
        let deadline = ContinuousClock.now + Self.patience
        while messages < Self.maximumMessages {
            let rest = deadline - ContinuousClock.now
            guard rest > .zero, case .delivery(let delivery)? = try await consumer.next(within: rest) else { break }
            deliveries.append(delivery)
            messages += estimatedMessages(delivery)
        }
        return deliveries
    }

    /// A full page counts as such; live pages of one are small. Exact counts would need a look inside.
    private func estimatedMessages(_ delivery: Delivery) -> Int {
        max(1, min(Page.maximumMessages, delivery.body.count / 500))
    }

    private func decode(_ deliveries: [Delivery]) -> (batch: [ParsedMessage], dead: [OutgoingMessage]) {
        var batch: [ParsedMessage] = []
        var dead: [OutgoingMessage] = []
        for delivery in deliveries {
            let id = delivery.messageID ?? "unknown"
            func bury(_ payload: [UInt8], _ messageID: String, _ error: String) {
                context.logger.error(
                    "cannot be stored; it goes to the dead letters",
                    metadata: ["error": "\(error)", "message_id": "\(messageID)"]
                )
                dead.append(
                    publishing.deadLetter(
                        stage: "store",
                        type: delivery.type,
                        payload: payload,
                        messageID: messageID,
                        received: delivery.headers,
                        error: "permanent: \(error)"
                    )
                )
            }
            if let foreign = delivery.headers?.pipeline, foreign != context.pipeline.name {
                bury(delivery.body, id, "the record batch belongs to pipeline '\(foreign)'")
                continue
            }
            do {
                for (index, element) in try RecordBatch.decode(delivery.body, types: types).enumerated() {
                    switch element {
                    case .parsed(let parsed): batch.append(parsed)
                    case .broken(let error, let payload):
                        bury(payload, error.id?.description ?? "\(id):\(index)", "\(error)")
                    }
                }
            } catch {
                bury(delivery.body, id, "\(error)")
            }
        }
        return (batch, dead)
    }

    /// Writes a batch, waiting out a database that is away. A batch the database refuses for its data is halved until
    /// the message at fault stands alone; that one goes dead and the rest commits.
    ///
    /// - Returns: `nil` when the process drains before the batch is written.
    private func write(_ batch: [ParsedMessage], failures: inout [OutgoingMessage]) async throws -> WriteReport? {
        guard !batch.isEmpty else { return WriteReport() }
        do {
            return try await untilAvailable { try await store.write(batch, keeping: keeping) }
        } catch let error as StoreError where error.code == .badData {
            if batch.count == 1 {
                context.logger.error(
                    "the database refused a message; it goes to the dead letters",
                    metadata: ["error": "\(error)", "message_id": "\(batch[0].message.id)"]
                )
                failures.append(
                    publishing.deadLetter(
                        stage: "store",
                        type: WireType.batch,
                        payload: RecordBatch.encode(batch),
                        messageID: batch[0].message.id.description,
                        received: nil,
                        error: "permanent: \(error)"
                    )
                )
                return WriteReport()
            }
            let middle = batch.count / 2
            guard let first = try await write(Array(batch[..<middle]), failures: &failures),
                let second = try await write(Array(batch[middle...]), failures: &failures)
            else { return nil }
            return first + second
        }
    }

    private func untilAvailable<Result: Sendable>(
        _ body: @Sendable () async throws -> Result
    ) async throws -> Result? {
        try await context.untilAvailable("the database", body)
    }
}

extension WriteReport {
    static func + (left: WriteReport, right: WriteReport) -> WriteReport {
        WriteReport(
            written: left.written + right.written,
            unchanged: left.unchanged + right.unchanged,
            records: left.records + right.records
        )
    }
}

/// Rows since start, for watching.
private struct WriteTotals {
    private var written = 0
    private var unchanged = 0
    private var records = 0
    private var dead = 0
    private var reported: ContinuousClock.Instant?

    mutating func add(_ report: WriteReport, dead: Int) {
        written += report.written
        unchanged += report.unchanged
        records += report.records
        self.dead += dead
    }

    mutating func report(to control: ControlChannel) {
        let now = ContinuousClock.now
        guard reported.map({ now - $0 >= .seconds(1) }) ?? true else { return }
        reported = now
        control.say(
            .stats([
                "written": Int64(written), "unchanged": Int64(unchanged), "records": Int64(records),
                "dead": Int64(dead),
            ])
        )
    }
}
