import Logging
import Messaging
import Model
import PipelineFile
import Rules

/// `parse`: takes pages, tries the rules on each message, and sends what came of them to store, or onward along the
/// chain where nothing did.
///
/// One straight loop: receive, decode, act, publish. Confirms are awaited, and deliveries acknowledged, beside it
/// (``PublishWindow``).
package struct ParseWorker {
    private let context: WorkerContext
    private let shelf: RuleShelf
    private let publishing: ConfirmedPublishing
    private let consumer: Consumer
    private let isolation: Isolation

    /// - Throws: ``WorkerFailure`` with exit code 78 when the generation's rules do not compile here.
    package init(_ context: WorkerContext) throws {
        self.context = context
        shelf = RuleShelf(try WorkerContext.compileRules(context.generation, reusing: nil))
        publishing = ConfirmedPublishing(context: context, publisher: try context.publisher()) {
            message,
            _ in context.backToParse(message, after: .thirtySeconds)
        }
        consumer = try context.consumer(of: [context.topology.workQueue(Topology.parse)])
        isolation = Isolation(context, stage: Topology.parse)
    }

    /// Runs until the process drains; what is in hand is finished first.
    package func run() async throws {
        try await context.takingOver(as: .parse) { [shelf] generation in
            shelf.put(try WorkerContext.compileRules(generation, reusing: shelf.latest))
        } while: {
            try await context.consuming(consumer) { try await work() }
        }
        await publishing.publisher.close()
    }

    private func work() async throws {
        var counts = OutcomeCounts()
        var reporter = RuleReporter(context)
        defer { reporter.report(shelf.take(), isLast: true) }
        let window = PublishWindow(publishing, acknowledgingTo: consumer)
        try await window.whileOpen { group in
            while !window.isClosed, let event = try await consumer.next(within: .seconds(1)) {
                if case .delivery(let delivery) = event {
                    let (batch, outgoing) = isolated(delivery)
                    counts.add(batch)
                    await window.publish(outgoing, of: delivery, messages: batch.count, in: &group)
                } else if window.isEmpty {
                    context.control.beat()
                }
                counts.report(to: context.control)
                reporter.report(shelf.take())
            }
        }
    }

    /// As ``handle(_:)``, unless the delivery is known to kill workers.
    private func isolated(_ delivery: Delivery) -> (batch: [ParsedMessage], outgoing: [OutgoingMessage]) {
        let hold = isolation.suspects.hold(delivery)
        return withExtendedLifetime(hold) {
            isolation.instead(of: delivery, hold).map { ([], $0) } ?? handle(delivery)
        }
    }

    /// What a delivery becomes: the parsed messages, and what must be confirmed before it may be acknowledged.
    private func handle(_ delivery: Delivery) -> (batch: [ParsedMessage], outgoing: [OutgoingMessage]) {
        if let foreign = delivery.headers?.pipeline, foreign != context.pipeline.name {
            let fault = Fault(.permanent, "the page belongs to pipeline '\(foreign)'")
            return ([], [context.failed(delivery, in: Topology.parse, fault)])
        }
        let elements: [Page.Element]
        do {
            elements = try Page.unpack(delivery.body)
        } catch {
            return ([], [context.failed(delivery, in: Topology.parse, Fault(error))])
        }
        // One set of rules for the page, so that no message sees half of two.
        let rules = shelf.take()
        var batch: [ParsedMessage] = []
        var outgoing: [OutgoingMessage] = []
        for (index, element) in elements.enumerated() {
            switch element {
            case .message(let message): batch.append(rules.parse(message))
            case .broken(let error, let payload):
                let id = error.id?.description ?? "\(delivery.messageID ?? "page"):\(index)"
                let body = Page.alone(payload)
                outgoing.append(
                    context.failed(delivery, in: Topology.parse, Fault(error), messageID: id, body: body)
                )
            }
        }
        outgoing += context.outgoing(batch, from: Topology.parse, of: delivery) {
            rules.lastResort.question(about: $0) != nil
        }
        return (batch, outgoing)
    }
}

/// Outcomes since start, for watching; of a page that comes again after a failure, once more.
private struct OutcomeCounts {
    private var counts: [String: Int64] = [:]
    private var reported: ContinuousClock.Instant?
    private var isDirty = false

    mutating func add(_ batch: [ParsedMessage]) {
        for parsed in batch {
            counts[parsed.outcome.rawValue, default: 0] += 1
            counts["records", default: 0] += Int64(parsed.records.count)
        }
        isDirty = isDirty || !batch.isEmpty
    }

    mutating func report(to control: ControlChannel) {
        let now = ContinuousClock.now
        guard isDirty, reported.map({ now - $0 >= .seconds(1) }) ?? true else { return }
        reported = now
        isDirty = false
        control.say(.stats(counts))
    }
}
