import Logging
import Messaging
import Model
import PipelineFile
import Storage

/// `store`: takes record batches, writes several of them in one transaction, and acknowledges after the commit.
///
/// While one transaction is written, the deliveries of the next are gathered and decoded. So under load transactions are
/// as large as what came during the one before, and a live message waits for nobody.
package struct StoreWorker {
    /// Enough deliveries for two full transactions: one that is written and one that is gathered.
    private static let prefetch = 48
    /// How long pages of history wait for more of them, counted from the first.
    private static let patience: Duration = .milliseconds(20)
    /// So many messages gathered are history, or a rush.
    private static let worthPatience = 100

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
        let queue = context.topology.workQueue(Topology.store)
        consumer = try context.consumer(of: [queue], prefetch: Self.prefetch)
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

    /// A transaction under way; its value is `nil` when the process drained before it was written.
    private typealias Writing = Task<Written?, any Error>

    private func work() async throws {
        var totals = WriteTotals()
        var writing: Writing?
        defer { writing?.cancel() }
        /// False when nothing more can be written.
        func finishWriting() async throws -> Bool {
            guard let task = writing else { return true }
            writing = nil
            guard let written = try await task.value else { return false }
            totals.add(written)
            totals.report(to: context.control)
            return true
        }
        while true {
            // What is replaced is closed, so it must not be in use.
            if shelf.hasNext { guard try await finishWriting() else { return } }
            let content = writing == nil ? await shelf.take() : shelf.current
            let gathered = try await gather(StoreBatch(content, context), beside: writing)
            guard try await finishWriting() else { return }
            if !gathered.batch.isEmpty { writing = Task { try await settle(gathered.batch) } }
            switch gathered.end {
            case .stopped:
                _ = try await finishWriting()
                return
            case .suspect(let delivery):
                guard try await finishWriting(), let written = try await settle(suspect: delivery) else { return }
                totals.add(written)
            case .enough: if writing == nil { context.control.beat() }
            }
        }
    }

    // MARK: Gathering

    private enum GatheringEnd {
        case enough, stopped
        /// A delivery that is not for the others' company: a suspect is always alone, so that what happens is told of
        /// it and of no other.
        case suspect(Delivery)
    }

    /// Gathers deliveries worth a transaction: until it is full, or the one before is written and no more are here.
    /// Empty when nothing came for a while.
    private func gather(
        _ empty: StoreBatch,
        beside writing: Writing?
    ) async throws -> (batch: StoreBatch, end: GatheringEnd) {
        var batch = empty
        var deadline: ContinuousClock.Instant?
        while !batch.isFull {
            let event: Received?
            if let delivery = consumer.takeBuffered() {
                event = .delivery(delivery)
            } else if let writing {
                event = try await consumer.next { _ = await writing.result }
            } else if batch.isEmpty {
                event = try await consumer.next(within: .seconds(1))
            } else {
                event = .idle
            }
            switch event {
            case nil: return (batch, .stopped)
            case .delivery(let delivery) where Suspects.isSuspect(delivery): return (batch, .suspect(delivery))
            case .delivery(let delivery):
                batch.add(delivery)
                deadline = deadline ?? .now + Self.patience
            case .idle:
                guard batch.messages.count >= Self.worthPatience, let rest = deadline.map({ $0 - .now }), rest > .zero,
                    case .delivery(let delivery)? = try await consumer.next(within: rest)
                else { return (batch, .enough) }
                if Suspects.isSuspect(delivery) { return (batch, .suspect(delivery)) }
                batch.add(delivery)
            }
        }
        return (batch, .enough)
    }

    // MARK: Writing

    fileprivate struct Written {
        var report = WriteReport()
        /// Messages sent to a retry level or to the dead letters.
        var failed = 0
    }

    /// Settles a delivery with nothing else in hand, and does not touch it when it is known to kill workers.
    private func settle(suspect: Delivery) async throws -> Written? {
        let hold = isolation.suspects.hold(suspect)
        if let instead = isolation.instead(of: suspect, hold) {
            hold?.withdraw()
            guard try await publishing.publish(instead) else { return nil }
            consumer.acknowledge(suspect)
            return Written()
        }
        let withdrawing = isolation.withdrawingOnDrain(hold)
        defer { withdrawing?.cancel() }
        var batch = StoreBatch(await shelf.take(), context)
        batch.add(suspect)
        return try await settle(batch, holding: hold)
    }

    /// Writes a batch, publishes what cannot be written, and acknowledges.
    ///
    /// - Parameter hold: withdrawn once everything is written.
    /// - Returns: `nil` when the process drains before that.
    private func settle(_ batch: StoreBatch, holding hold: Suspects.Hold? = nil) async throws -> Written? {
        context.control.hold(batch.deliveries.count)
        var outgoing = batch.failed
        guard let report = try await write(batch, batch.messages.indices, holding: hold, failed: &outgoing) else {
            return nil
        }
        let deletions = DeletionWriter(context, store: batch.content.store, channels: batch.content.channels)
        guard try await deletions.write(batch.deliveries, failed: &outgoing) else { return nil }
        hold?.withdraw()
        guard try await publishing.publish(outgoing) else { return nil }
        consumer.acknowledge(batch.deliveries)
        context.control.hold(0)
        context.control.beat(done: batch.messages.count)
        return Written(report: report, failed: outgoing.count)
    }

    /// Writes some messages of a batch, waiting out a database that is away. What the database does not take is halved
    /// until the message at fault stands alone; that one is retried later or goes dead, and the rest commits.
    ///
    /// - Parameter hold: withdrawn once the database is away: waiting for it ends no worker.
    /// - Returns: `nil` when the process drains before it is written.
    private func write(
        _ batch: StoreBatch,
        _ range: Range<Int>,
        holding hold: Suspects.Hold?,
        failed outgoing: inout [OutgoingMessage]
    ) async throws -> WriteReport? {
        guard !range.isEmpty else { return WriteReport() }
        let (store, messages) = (batch.content.store, Array(batch.messages[range]))
        do {
            return try await untilAvailable {
                do {
                    return try await context.tryingTwice { try await store.write(messages, keeping: keeping) }
                } catch {
                    if Fault(error).kind == .outage { hold?.withdraw() }
                    throw error
                }
            }
        } catch let fault as Fault where fault.kind == .transient || fault.kind == .permanent {
            if range.count == 1 {
                let message = context.failed(
                    batch.delivery(of: range.lowerBound),
                    in: Topology.store,
                    fault,
                    messageID: messages[0].message.id.description,
                    body: RecordBatch.encode(messages)
                )
                outgoing.append(message)
                return WriteReport()
            }
            let middle = range.lowerBound + range.count / 2
            guard let first = try await write(batch, range.lowerBound..<middle, holding: hold, failed: &outgoing),
                let second = try await write(batch, middle..<range.upperBound, holding: hold, failed: &outgoing)
            else { return nil }
            return first + second
        }
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

    mutating func add(_ batch: StoreWorker.Written) {
        written += batch.report.written
        unchanged += batch.report.unchanged
        records += batch.report.records
        failed += batch.failed
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
