import Logging
import Messaging
import Model
import PipelineFile
import Remote
import Rules
import Storage

/// `openai`: the last resort. Asks a language model about messages that nobody else made anything of, and believes of
/// its answers only what the messages themselves say.
///
/// Receives record batches, asks about their messages at the same time, publishes what came of them, and acknowledges.
/// While the server or the budget allows nothing, the queue is left alone and what is in hand goes back to its end.
package struct OpenAIWorker: Sendable {
    private let context: WorkerContext
    private let types: [String: RecordType]
    private let store: any Store
    private let http: HTTPClient
    private let asker: Asker
    private let publishing: ConfirmedPublishing
    private let consumer: Consumer
    /// Deliveries in hand at once: each holds at least one message, so every slot finds work.
    private let mostInHand: Int

    /// - Throws: ``WorkerFailure`` with exit code 78 without a key.
    package init(_ context: WorkerContext) throws {
        self.context = context
        types = context.recordTypes
        guard let key = context.pipeline.openai.apiKey else {
            throw WorkerFailure(exitCode: ExitCode.configuration, "openai.api_key is not set")
        }
        store = try context.openStore()
        http = HTTPClient(userAgent: OpenAIClient.userAgent, logger: context.logger)
        let client = OpenAIClient(
            baseURL: context.pipeline.openai.baseURL,
            key: try context.secret(key),
            http: http,
            logger: context.logger
        )
        asker = Asker(context: context, client: client, store: store)
        publishing = ConfirmedPublishing(context: context, publisher: try context.publisher())
        mostInHand = max(2, context.pipeline.openai.concurrency)
        consumer = try context.consumer(of: [context.topology.workQueue(Topology.openai)], prefetch: mostInHand)
    }

    /// Runs until the process drains; calls under way are given a moment.
    ///
    /// - Throws: ``WorkerFailure`` with exit code 78 when the generation's rules do not compile here.
    package func run() async throws {
        let shelf = RuleShelf(try WorkerContext.compileRules(context.generation, reusing: nil))
        guard try await context.untilAvailable(.database, { try await store.checkReady() }) != nil else { return }
        try await context.takingOver(as: .openai) { generation in
            shelf.put(try WorkerContext.compileRules(generation, reusing: shelf.latest))
        } while: {
            try await context.consuming(consumer) { try await work(shelf) }
        }
        await publishing.publisher.close()
        await store.close()
        http.close()
    }

    private func work(_ shelf: RuleShelf) async throws {
        let hands = Hands()
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                if let parking = await hands.parking {
                    try await context.showingLife { await hands.wait(untilAtMost: 0) }
                    guard await wait(for: parking) else { break }
                    await hands.forgetParking()
                }
                try await context.showingLife { await hands.wait(untilAtMost: mostInHand - 1) }
                guard await hands.parking == nil else { continue }
                let patience: Duration = await hands.isEmpty ? .seconds(1) : .milliseconds(200)
                guard let event = try await consumer.next(within: patience) else { break }
                if case .delivery(let delivery) = event {
                    let decoded = decode(delivery, shelf.take().lastResort)
                    await hands.take()
                    group.addTask {
                        do {
                            let handled = try await handle(delivery, decoded)
                            await hands.giveBack(done: handled.done, parking: handled.parking)
                        } catch {
                            await hands.giveBack(done: 0, parking: nil)
                            throw error
                        }
                    }
                }
                context.control.beat(done: await hands.takeDone())
                await report()
            }
        }
        context.control.beat(done: await hands.takeDone())
        await report()
    }

    // MARK: Waiting

    /// Leaves the queue alone until asking makes sense again.
    ///
    /// - Returns: false when the process drains before that.
    private func wait(for parking: Asker.Parking) async -> Bool {
        guard let rest = parking.rest else { return true }
        consumer.pause()
        defer { consumer.resume() }
        context.logger.warning(
            "what waits for the last resort stays in its queue: \(parking.reason)",
            metadata: ["seconds": "\(rest.wholeSeconds)"]
        )
        // Asked anew each second: the clock of the day may be set while this waits.
        while let rest = parking.rest {
            context.control.beat()
            await report(parkedFor: rest)
            guard await context.drain.sleep(for: min(rest, .seconds(1))) else { return false }
        }
        context.logger.info("the last resort is asked again")
        return true
    }

    private func report(parkedFor rest: Duration? = nil) async {
        var counts = await asker.report
        counts["parked_seconds"] = rest?.wholeSeconds ?? 0
        context.control.say(.stats(counts))
    }

    // MARK: One delivery

    private struct Handled {
        var done: Int
        var parking: Asker.Parking?
    }

    /// A message of a delivery, and what is to be asked about it; without a question it is not for us.
    private struct Item: Sendable {
        var parsed: ParsedMessage
        var question: Question?
    }

    private enum Decoded: Sendable {
        case items([Item], broken: [OutgoingMessage])
        case unreadable(Fault)
    }

    private func decode(_ delivery: Delivery, _ lastResort: LastResort) -> Decoded {
        if let foreign = delivery.headers?.pipeline, foreign != context.pipeline.name {
            return .unreadable(Fault(.permanent, "the record batch belongs to pipeline '\(foreign)'"))
        }
        do {
            var items: [Item] = []
            var broken: [OutgoingMessage] = []
            for (index, element) in try RecordBatch.decode(delivery.body, types: types).enumerated() {
                switch element {
                case .parsed(let parsed):
                    items.append(Item(parsed: parsed, question: lastResort.question(about: parsed.message)))
                case .broken(let error, let payload):
                    let id = error.id?.description ?? "\(delivery.messageID ?? "batch"):\(index)"
                    broken.append(failed(delivery, Fault(error), messageID: id, body: Page.alone(payload)))
                }
            }
            return .items(items, broken: broken)
        } catch {
            return .unreadable(Fault(error))
        }
    }

    /// Asks about every message of a delivery at the same time, and acknowledges it once what came of them is
    /// confirmed. A message that is parked goes back to the end of the queue as it was.
    private func handle(_ delivery: Delivery, _ decoded: Decoded) async throws -> Handled {
        var outgoing: [OutgoingMessage] = []
        var settled: [ParsedMessage] = []
        var parked: [ParsedMessage] = []
        var parking: Asker.Parking?
        switch decoded {
        case .unreadable(let fault): outgoing.append(failed(delivery, fault))
        case .items(let items, let broken):
            outgoing += broken
            for (item, result) in try await resolve(items) {
                switch result {
                case .settled(let parsed): settled.append(parsed)
                case .failed(let fault):
                    await asker.count("retried")
                    let body = RecordBatch.encode([item.parsed])
                    let id = item.parsed.message.id.description
                    outgoing.append(failed(delivery, fault, messageID: id, body: body))
                case .parked(.channel): outgoing.append(later(item.parsed, delivery))
                case .parked(let why):
                    parked.append(item.parsed)
                    parking = why
                // Not acknowledged: whoever comes next asks, and finds what was answered.
                case .drained: return Handled(done: 0)
                }
            }
        }
        if !settled.isEmpty { outgoing.append(context.message(settled, to: Topology.store, of: delivery)) }
        if !parked.isEmpty { outgoing.append(back(parked, delivery)) }
        guard try await publishing.publish(outgoing) else { return Handled(done: 0) }
        consumer.acknowledge(delivery)
        return Handled(done: settled.count, parking: parking)
    }

    private func failed(
        _ delivery: Delivery,
        _ fault: Fault,
        messageID: String? = nil,
        body: [UInt8]? = nil
    ) -> OutgoingMessage {
        context.failed(delivery, in: Topology.openai, fault, messageID: messageID, body: body)
    }

    private func back(_ parked: [ParsedMessage], _ delivery: Delivery) -> OutgoingMessage {
        var message = context.message(parked, to: Topology.openai, of: delivery)
        if let received = delivery.headers { message.headers = received }
        return message
    }

    /// Looked at again after the longest retry level, without an attempt counted: the messages of other channels need
    /// not wait for it.
    private func later(_ parked: ParsedMessage, _ delivery: Delivery) -> OutgoingMessage {
        var message = back([parked], delivery)
        message.exchange = context.topology.retryExchange(.tenMinutes)
        return message
    }

    // MARK: One message

    private enum Resolution: Sendable {
        case settled(ParsedMessage)
        case failed(Fault)
        case parked(Asker.Parking)
        case drained
    }

    private func resolve(_ items: [Item]) async throws -> [(Item, Resolution)] {
        try await withThrowingTaskGroup(of: (Int, Resolution).self) { group in
            for (index, item) in items.enumerated() {
                group.addTask { (index, try await resolve(item)) }
            }
            var resolutions = [Resolution](repeating: .drained, count: items.count)
            for try await (index, resolution) in group { resolutions[index] = resolution }
            return Array(zip(items, resolutions))
        }
    }

    private func resolve(_ item: Item) async throws -> Resolution {
        guard let question = item.question else { return .settled(context.chain.withoutLastResort(item.parsed)) }
        switch try await asker.ask(question, about: item.parsed.message) {
        case .declined(let reason): return .settled(await declined(item.parsed, question, reason))
        case .parked(let parking): return .parked(parking)
        case .failed(let fault): return .failed(fault)
        case .drained: return .drained
        case .answered(let answer):
            switch question.judge(answer) {
            case .records(let records): return .settled(await read(item.parsed, question, records))
            case .declined(let reason): return .settled(await declined(item.parsed, question, reason))
            case .fault(let problem):
                await asker.count("unfinished")
                return .failed(Fault(.transient, problem))
            }
        }
    }

    private func read(_ parsed: ParsedMessage, _ question: Question, _ records: [Record]) async -> ParsedMessage {
        await asker.count("records", Int64(records.count))
        await asker.count("parsed")
        guard question.rule.status == .live else { return context.chain.withoutLastResort(parsed) }
        var read = parsed
        read.outcome = .parsed
        read.reason = nil
        read.parser = question.rule.id
        read.parserVersion = question.rule.version
        read.source = .openai
        read.records = records
        return read
    }

    private func declined(
        _ parsed: ParsedMessage,
        _ question: Question,
        _ reason: DeclineReason
    ) async -> ParsedMessage {
        await asker.count("declined_" + reason.code.rawValue.lowercased().replacing(" ", with: "_"))
        guard question.rule.status == .live else { return context.chain.withoutLastResort(parsed) }
        var declined = parsed.declined(by: question.rule.id, because: reason.description)
        declined.outcome = .skipped
        return declined
    }
}

extension Asker.Parking {
    /// How long it still lasts; `nil` when it is over.
    var rest: Duration? {
        switch self {
        case .server(let until): until > .now ? until - .now : nil
        case .day(let day): day == UTCDay.now ? UTCDay.rest : nil
        case .channel: nil
        }
    }

    fileprivate var reason: String {
        switch self {
        case .server: "the server cannot be asked"
        case .day: "the day's tokens are spent"
        case .channel: "the channel's tokens are spent"
        }
    }
}

extension Duration {
    /// At least one: a moment is not over yet.
    fileprivate var wholeSeconds: Int64 { max(1, components.seconds) }
}
