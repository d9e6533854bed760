import Logging
import Messaging
import Model
import PipelineFile
import Rules

/// The host of a plugin that consumes: takes what the stages before it left undecided, puts one message after the other
/// to the plugin's process, and sends what it makes of them to store or onward.
///
/// Host and plugin are one worker of the tree: a plugin that cannot start, or ends while nothing is asked of it, takes
/// the host with it, by its exit code, so that the supervisor's back-off and breaker rule over both. A plugin that fails
/// over a message is started anew by the host, which knows that message: after ``tries`` it goes dead, alone.
package struct PluginHost {
    private static let tries = 3
    /// A plugin that lives for so long has started.
    private static let settling: Duration = .seconds(1)
    /// A page is not worked on for longer: what is open goes back to the end of the queue.
    private static let longestPage: Duration = .seconds(60)
    private static let timeToAnswerOnceDraining: Duration = .seconds(3)
    private static let timeToEnd: Duration = .seconds(2)
    /// So many failures in a row, over several messages, and the plugin itself is to blame.
    private static let breaker = Breaker.Settings(failures: 10, window: .zero)

    private let context: WorkerContext
    private let name: String
    private let stage: String
    private let question: PluginQuestion
    private let records: RecordReader
    private let timeToAnswer: Duration
    private let plugin: PluginProcess
    private let publishing: ConfirmedPublishing
    private let consumer: Consumer

    /// - Throws: ``WorkerFailure`` with exit code 78 when the generation has no such plugin.
    package init(_ context: WorkerContext, plugin name: String) throws {
        guard let worker = context.pipeline.plugins.first(where: { $0.name == name }),
            let command = PluginCommand(worker, of: context.pipeline, hostEnvironment: context.environment)
        else {
            throw WorkerFailure(
                exitCode: ExitCode.configuration,
                "generation \(context.generation.number) has no plugin '\(name)' that consumes"
            )
        }
        self.context = context
        self.name = name
        stage = Topology.plugin(name)
        question = PluginQuestion(
            pipeline: context.pipeline.name,
            channels: Dictionary(context.pipeline.channels.map { ($0.id, $0.name) }) { first, _ in first }
        )
        records = try RecordReader(records: context.pipeline.records)
        timeToAnswer = worker.longestSilence
        plugin = try PluginProcess(command)
        publishing = ConfirmedPublishing(context: context, publisher: try context.publisher()) {
            message,
            result in
            // Longer than from parse: the plugin is asked again, which may be dear. A queue that is gone is back soon.
            context.backToParse(message, after: result == .refused ? .tenMinutes : .thirtySeconds)
        }
        // A page can take as long as its time; two in hand keep the plugin busy and leave the rest to other replicas.
        consumer = try context.consumer(of: [context.topology.workQueue(stage)], prefetch: 2)
    }

    /// Runs until the process drains or the plugin ends.
    package func run() async throws {
        let hurrying = Task { [context, plugin] in
            await context.drain.wait()
            if context.drain.isRequested { plugin.hurry(within: Self.timeToAnswerOnceDraining) }
        }
        defer { hurrying.cancel() }
        do {
            try await plugin.start(settling: Self.settling)
            try await context.takingOver(as: .plugin) { [context, name] next in
                try Self.requireSame(next.pipeline, as: context.pipeline, of: name)
            } while: {
                try await context.consuming(consumer) { try await work() }
            }
        } catch let end as PluginEnd {
            await close()
            guard end.code != 0 else { return context.logger.info("the plugin ended; so does its host") }
            throw WorkerFailure(exitCode: end.code, "plugin '\(name)' \(end)")
        } catch {
            await close()
            throw error
        }
        await close()
    }

    /// Rules come and go without the host; what it or its plugin works by, only a new process takes over.
    private static func requireSame(_ next: Pipeline, as now: Pipeline, of name: String) throws {
        func own(_ pipeline: Pipeline) -> Worker? { pipeline.plugins.first { $0.name == name } }
        guard next.records == now.records, next.channels == now.channels, own(next) == own(now) else {
            throw WorkerFailure(exitCode: ExitCode.configuration, "only a new process can take over what changed")
        }
    }

    private func close() async {
        await plugin.stop(within: Self.timeToEnd)
        await consumer.close()
        await publishing.publisher.close()
    }

    private func work() async throws {
        var breaker = Breaker(Self.breaker)
        var totals = PluginTotals()
        while let event = try await consumer.next(within: .seconds(1)) {
            guard case .delivery(let delivery) = event else {
                if let end = await plugin.end { throw end }
                context.control.beat()
                totals.report(to: context.control)
                continue
            }
            context.control.hold(1)
            var page = decode(delivery)
            var progress = await answer(&page, &breaker, &totals)
            while !page.open.isEmpty, try await !handBack(&page) {
                // The queue has no room for what is left of its own messages, so the page is gone on with.
                guard progress == .late || progress == .resting else { break }
                guard try await rest(progress, &breaker) else { break }
                context.control.hold(1)
                progress = await answer(&page, &breaker, &totals)
            }
            let decided = context.outgoing(page.decided, from: stage, of: delivery)
            guard page.open.isEmpty, try await publishing.publish(decided + page.failed) else { break }
            consumer.acknowledge(delivery)
            context.control.hold(0)
            totals.report(to: context.control)
            if case .ended(let end) = progress { throw end }
            guard try await rest(progress, &breaker) else { break }
        }
        if let end = await plugin.end, !context.drain.isRequested { throw end }
    }

    private func decode(_ delivery: Delivery) -> PluginPage {
        var page = PluginPage(delivery: delivery, open: [])
        if let foreign = delivery.headers?.pipeline, foreign != context.pipeline.name {
            let fault = Fault(.permanent, "the record batch belongs to pipeline '\(foreign)'")
            page.failed.append(context.failed(delivery, in: stage, fault))
            return page
        }
        do {
            for (index, element) in try RecordBatch.decode(delivery.body, types: context.recordTypes).enumerated() {
                switch element {
                case .parsed(let parsed): page.open.append(parsed)
                case .broken(let error, let payload):
                    let id = error.id?.description ?? "\(delivery.messageID ?? "batch"):\(index)"
                    let body = Page.alone(payload)
                    page.failed.append(context.failed(delivery, in: stage, Fault(error), messageID: id, body: body))
                }
            }
        } catch {
            page.failed.append(context.failed(delivery, in: stage, Fault(error)))
        }
        return page
    }

    // MARK: Asking

    private func answer(
        _ page: inout PluginPage,
        _ breaker: inout Breaker,
        _ totals: inout PluginTotals
    ) async -> PluginPage.Progress {
        let deadline = ContinuousClock.now + Self.longestPage
        while let parsed = page.open.first {
            if context.drain.isRequested { return .draining }
            if ContinuousClock.now > deadline { return .late }
            switch await ask(parsed, page.delivery, &breaker, &totals) {
            case .answered(let answer): settle(parsed, answer, &page, &totals)
            case .given(let progress): return progress
            }
            page.open.removeFirst()
            context.control.beat(done: 1)
            if case .open = breaker.state { return .resting }
        }
        return .finished
    }

    private enum Asked {
        case answered(PluginAnswer)
        /// No answer, and none for now.
        case given(PluginPage.Progress)
    }

    private func ask(
        _ parsed: ParsedMessage,
        _ delivery: Delivery,
        _ breaker: inout Breaker,
        _ totals: inout PluginTotals
    ) async -> Asked {
        var tried = 0
        while true {
            let line = question.line(parsed, attempt: (delivery.headers?.attempt ?? 0) + tried + 1)
            let trouble: String
            do {
                let answer = try await context.showingLife(waitingFor: { "its plugin" }) {
                    try await plugin.ask(line, within: timeToAnswer)
                }
                let read = try PluginAnswer.read(answer, to: parsed.message.id, records: records)
                breaker.succeeded()
                return .answered(read)
            } catch PluginFault.interrupted {
                return .given(.draining)
            } catch PluginFault.wasGone(let end) {
                return .given(.ended(end))
            } catch let error as NotAnAnswer {
                tried += 1
                trouble = "its answer \(error)"
            } catch {
                if error as? PluginFault != .spokeUnasked { tried += 1 }
                trouble = "\(error)"
            }
            totals.failures += 1
            context.logger.warning(
                "plugin '\(name)' failed; it is started anew",
                metadata: ["error": "\(trouble)", "message_id": "\(parsed.message.id)", "try": "\(tried)"]
            )
            let opened = breaker.failed(at: .sinceBoot)
            do {
                try await plugin.start(settling: Self.settling)
            } catch {
                return .given(.ended(error))
            }
            if tried == Self.tries {
                return .answered(.dead("the plugin failed over it \(Self.tries) times: \(trouble)"))
            }
            if context.drain.isRequested { return .given(.draining) }
            if opened { return .given(.resting) }
        }
    }

    private func settle(
        _ parsed: ParsedMessage,
        _ answer: PluginAnswer,
        _ page: inout PluginPage,
        _ totals: inout PluginTotals
    ) {
        totals.add(answer)
        let fault: Fault
        switch answer {
        case .records(let records):
            page.decided.append(
                ParsedMessage(
                    message: parsed.message,
                    outcome: .parsed,
                    parser: name,
                    source: .plugin,
                    records: records,
                    revision: parsed.revision
                )
            )
            return
        case .skip(let why): return page.decided.append(parsed.declined(by: name, because: why))
        case .retry(let why): fault = Fault(.transient, "\(name): \(why)")
        case .dead(let why): fault = Fault(.permanent, "\(name): \(why)")
        }
        page.failed.append(
            context.failed(
                page.delivery,
                in: stage,
                fault,
                messageID: parsed.message.id.description,
                body: RecordBatch.encode([parsed])
            )
        )
    }

    // MARK: What is left open

    /// Sends what is open to the end of the queue, where it counts as new: handing the delivery itself back would count
    /// against it. Tried once, because nobody else may be there to make room.
    ///
    /// - Returns: false when the broker did not take it.
    private func handBack(_ page: inout PluginPage) async throws -> Bool {
        let message = OutgoingMessage(
            exchange: context.topology.workExchange,
            routingKey: stage,
            type: WireType.batch,
            messageID: page.open.first?.message.id.description ?? "",
            headers: page.delivery.headers ?? context.headers(),
            body: RecordBatch.encode(Array(page.open))
        )
        let results = try await context.untilDrained(grace: .seconds(2)) { [publishing] in
            try await publishing.publisher.publish([message])
        }
        guard results == [.confirmed] else { return false }
        page.open = []
        return true
    }

    /// Waits while the breaker is open; nothing new is taken meanwhile.
    ///
    /// - Returns: false when the process drains.
    private func rest(_ progress: PluginPage.Progress, _ breaker: inout Breaker) async throws -> Bool {
        guard progress == .resting, case .open(let until) = breaker.state else { return true }
        let wait = until - .sinceBoot
        context.logger.error(
            "plugin '\(name)' fails over every message; it rests",
            metadata: ["seconds": "\(max(0, wait.components.seconds))"]
        )
        // Resting is not being stuck.
        context.control.hold(0)
        consumer.pause()
        defer { consumer.resume() }
        guard try await context.showingLife({ await context.drain.sleep(for: max(.zero, wait)) }) else { return false }
        _ = breaker.admit(at: .sinceBoot)
        return true
    }
}

extension Worker {
    /// How long a plugin may take for an answer: as long as a worker may be silent.
    fileprivate var longestSilence: Duration { (heartbeat?.every ?? .seconds(5)) * (heartbeat?.missed ?? 6) }
}

extension Duration {
    /// The time that never runs backwards.
    fileprivate static var sinceBoot: Duration { ContinuousClock.now - epoch }
    private static let epoch = ContinuousClock.now
}

/// Answers since start, for watching.
private struct PluginTotals {
    /// Of the plugin's process: each time it is started anew.
    var failures = 0
    private var counts: [String: Int64] = [:]
    private var reported: ContinuousClock.Instant?

    mutating func add(_ answer: PluginAnswer) {
        counts["answered", default: 0] += 1
        switch answer {
        case .records(let records):
            counts["parsed", default: 0] += 1
            counts["records", default: 0] += Int64(records.count)
        case .skip: counts["skipped", default: 0] += 1
        case .retry, .dead: counts["failed", default: 0] += 1
        }
    }

    mutating func report(to control: ControlChannel) {
        let now = ContinuousClock.now
        guard reported.map({ now - $0 >= .seconds(1) }) ?? true else { return }
        reported = now
        counts["plugin_failures"] = Int64(failures)
        control.say(.stats(counts))
    }
}
