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
    private let shelf: StoreShelf
    private let keeping: MessageKeeping
    private let publishing: ConfirmedPublishing
    private let consumer: Consumer
    private let isolation: Isolation

    package init(_ context: WorkerContext) throws {
        self.context = context
        shelf = StoreShelf(StoreShelf.Content(store: try context.openStore(), of: context.pipeline))
        keeping = context.pipeline.store.messages == .all ? .all : .parsed
        publishing = ConfirmedPublishing(context: context, publisher: try context.publisher())
        consumer = try context.consumer(of: [context.topology.workQueue(Topology.store)])
        isolation = Isolation(context, stage: Topology.store)
    }

    /// Runs until the process drains; what is in hand is finished first.
    package func run() async throws {
        let store = shelf.current.store
        guard try await untilAvailable({ try await store.checkReady() }) != nil else { return }
        try await context.takingOver(as: .store) { [context, shelf] generation in
            try shelf.put(generation.pipeline) { try context.openStore(records: $0) }
        } while: {
            try await context.consuming(consumer) { try await work() }
        }
        await publishing.publisher.close()
        await shelf.close()
    }

    private func work() async throws {
        var totals = WriteTotals()
        var kept: Delivery?
        while let deliveries = try await collect(&kept) {
            context.control.hold(deliveries.count)
            // For the whole of it one generation: what is decoded by it is written by it.
            let content = await shelf.take()
            // Nothing can be said of one among several.
            let suspect = deliveries.first.flatMap { Suspects.isSuspect($0) ? $0 : nil }
            var hold = suspect.flatMap { isolation.suspects.hold($0) }
            if let suspect, let instead = isolation.instead(of: suspect, hold) {
                hold = nil
                guard try await publishing.publish(instead) else { break }
                consumer.acknowledge(suspect)
                continue
            }
            let withdrawing = isolation.withdrawingOnDrain(hold)
            defer { withdrawing?.cancel() }
            var (items, outgoing) = decode(deliveries, types: content.types)
            let written = try await write(items[...], to: content.store, holding: hold, failed: &outgoing)
            guard let report = written else { break }
            let deletions = DeletionWriter(context, store: content.store, channels: content.channels)
            guard try await deletions.write(deliveries, failed: &outgoing) else { break }
            hold = nil
            guard try await publishing.publish(outgoing) else { break }
            consumer.acknowledge(deliveries)
            totals.add(report, failed: outgoing.count)
            context.control.hold(0)
            context.control.beat(done: items.count)
            totals.report(to: context.control)
        }
    }

    /// The next deliveries worth a transaction; empty when nothing came for a while, `nil` once the consumer stopped.
    ///
    /// - Parameter kept: a delivery that came with the last ones and was not for their company. A suspect is always
    ///   alone, so that what happens is told of it and of no other.
    private func collect(_ kept: inout Delivery?) async throws -> [Delivery]? {
        let first: Delivery
        if let delivery = kept {
            first = delivery
            kept = nil
        } else {
            guard let event = try await consumer.next(within: .seconds(1)) else { return nil }
            guard case .delivery(let delivery) = event else { return [] }
            first = delivery
        }
        var deliveries = [first]
        if Suspects.isSuspect(first) { return deliveries }
        var messages = estimatedMessages(first)
        let deadline = ContinuousClock.now + Self.patience
        while messages < Self.maximumMessages {
            let rest = deadline - ContinuousClock.now
            guard rest > .zero, case .delivery(let delivery)? = try await consumer.next(within: rest) else { break }
            if Suspects.isSuspect(delivery) {
                kept = delivery
                break
            }
            deliveries.append(delivery)
            messages += estimatedMessages(delivery)
        }
        return deliveries
    }

    /// A full page counts as such; live pages of one are small. Exact counts would need a look inside.
    private func estimatedMessages(_ delivery: Delivery) -> Int {
        max(1, min(Page.maximumMessages, delivery.body.count / 500))
    }

    /// A message to write, and the delivery it came in.
    private struct Item {
        var parsed: ParsedMessage
        var delivery: Delivery
    }

    /// What can be written, and what is to be published for what cannot.
    private func decode(
        _ deliveries: [Delivery],
        types: [String: RecordType]
    ) -> (items: [Item], failed: [OutgoingMessage]) {
        var items: [Item] = []
        var outgoing: [OutgoingMessage] = []
        for delivery in deliveries where delivery.type != WireType.delete {
            if let foreign = delivery.headers?.pipeline, foreign != context.pipeline.name {
                let fault = Fault(.permanent, "the record batch belongs to pipeline '\(foreign)'")
                outgoing.append(failed(delivery, fault))
                continue
            }
            do {
                for (index, element) in try RecordBatch.decode(delivery.body, types: types).enumerated() {
                    switch element {
                    case .parsed(let parsed): items.append(Item(parsed: parsed, delivery: delivery))
                    case .broken(let error, let payload):
                        let id = error.id?.description ?? "\(delivery.messageID ?? "batch"):\(index)"
                        outgoing.append(failed(delivery, Fault(error), messageID: id, body: Page.alone(payload)))
                    }
                }
            } catch {
                outgoing.append(failed(delivery, Fault(error)))
            }
        }
        return (items, outgoing)
    }

    /// Writes a batch, waiting out a database that is away. A batch the database does not take is halved until the
    /// message at fault stands alone; that one is retried later or goes dead, and the rest commits.
    ///
    /// - Parameter hold: withdrawn once the database is away: waiting for it ends no worker.
    /// - Returns: `nil` when the process drains before the batch is written.
    private func write(
        _ items: ArraySlice<Item>,
        to store: any Store,
        holding hold: Suspects.Hold?,
        failed outgoing: inout [OutgoingMessage]
    ) async throws -> WriteReport? {
        guard !items.isEmpty else { return WriteReport() }
        let batch = items.map(\.parsed)
        do {
            return try await untilAvailable {
                do {
                    return try await context.tryingTwice { try await store.write(batch, keeping: keeping) }
                } catch {
                    if Fault(error).kind == .outage { hold?.withdraw() }
                    throw error
                }
            }
        } catch let fault as Fault where fault.kind == .transient || fault.kind == .permanent {
            if let item = items.first, items.count == 1 {
                let id = item.parsed.message.id.description
                outgoing.append(failed(item.delivery, fault, messageID: id, body: RecordBatch.encode(batch)))
                return WriteReport()
            }
            let middle = items.startIndex + items.count / 2
            guard let first = try await write(items[..<middle], to: store, holding: hold, failed: &outgoing),
                let second = try await write(items[middle...], to: store, holding: hold, failed: &outgoing)
            else { return nil }
            return first + second
        }
    }

    private func failed(
        _ delivery: Delivery,
        _ fault: Fault,
        messageID: String? = nil,
        body: [UInt8]? = nil
    ) -> OutgoingMessage {
        context.failed(delivery, in: Topology.store, fault, messageID: messageID, body: body)
    }

    private func untilAvailable<Result: Sendable>(
        _ body: @Sendable () async throws -> Result
    ) async throws -> Result? {
        try await context.untilAvailable(.database, pausing: consumer, body)
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
    private var failed = 0
    private var reported: ContinuousClock.Instant?

    /// - Parameter failed: messages sent to a retry level or to the dead letters.
    mutating func add(_ report: WriteReport, failed: Int) {
        written += report.written
        unchanged += report.unchanged
        records += report.records
        self.failed += failed
    }

    mutating func report(to control: ControlChannel) {
        let now = ContinuousClock.now
        guard reported.map({ now - $0 >= .seconds(1) }) ?? true else { return }
        reported = now
        control.say(
            .stats([
                "written": Int64(written), "unchanged": Int64(unchanged), "records": Int64(records),
                "failed": Int64(failed),
            ])
        )
    }
}
