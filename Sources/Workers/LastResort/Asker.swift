import Foundation
import Logging
import Model
import PipelineFile
import Remote
import Rules
import Storage

/// Gets questions answered: from what was answered before, else by the server, one call for all that ask the same at
/// once, within the slots, the gate and the budget.
actor Asker {
    /// How a question ended.
    enum Result: Sendable {
        /// Judged by the question itself.
        case answered(ModelAnswer)
        /// Without an answer, for good.
        case declined(DeclineReason)
        /// Not now, and through no fault of the message. Nothing was sent for it.
        case parked(Parking)
        /// The message has used up one attempt.
        case failed(Fault)
        /// The process drains.
        case drained
    }

    /// Why and how long nothing can be asked.
    enum Parking: Sendable, Equatable {
        /// The breaker is open, or the server asked for a long pause.
        case server(until: ContinuousClock.Instant)
        /// The tokens of this UTC day are spent.
        case day(String)
        /// Those of one channel are; others may still ask.
        case channel
    }

    private let context: WorkerContext
    private let settings: Pipeline.OpenAI
    private let client: OpenAIClient
    private let store: any Store
    private let slots: Slots
    private var gate = AskGate()
    private var support: SchemaSupport?
    private var probing: Task<Swift.Result<Void, Stop>, any Error>?
    private var flights: [String: Task<Result, any Error>] = [:]
    private(set) var counts: [String: Int64] = [:]
    /// Calls whose tokens are set aside and not settled.
    private var unsettled = 0
    /// Whose tokens are spent, as far as was noticed.
    private var spent = SpentBudgets()

    private static let start = ContinuousClock.now
    /// What a call that is under way is still given once the process drains.
    private static let grace: Duration = .seconds(2)

    init(context: WorkerContext, client: OpenAIClient, store: any Store) {
        self.context = context
        settings = context.pipeline.openai
        self.client = client
        self.store = store
        slots = Slots(context.pipeline.openai.concurrency)
    }

    /// Asks a question, or joins one that is just being asked.
    ///
    /// - Throws: ``StoreError`` other than an outage, which is waited out.
    func ask(_ question: Question, about message: Message) async throws -> Result {
        // For each message by itself: another of the same text may still be there.
        let isDeleted = try await context.untilAvailable(.database) { [store] in
            try await store.isDeleted(message.id)
        }
        guard let isDeleted else { return .drained }
        guard !isDeleted else { return .declined(DeclineReason(.deleted)) }
        let key = question.key(model: settings.model)
        // Where channels have budgets of their own, none may be held up by another's.
        let name = settings.channelTokens == nil ? key : "\(key) in \(message.channelID)"
        if let flight = flights[name] {
            count("shared")
            return try await flight.value
        }
        let flight = Task { try await self.answer(question, key, message) }
        flights[name] = flight
        defer { flights[name] = nil }
        return try await flight.value
    }

    func count(_ name: String, _ amount: Int64 = 1) {
        counts[name, default: 0] += amount
    }

    /// The counts, and which budgets are spent today.
    var report: [String: Int64] {
        counts.merging(spent.report(on: UTCDay.now)) { count, _ in count }
    }

    // MARK: One question

    private func answer(_ question: Question, _ key: String, _ message: Message) async throws -> Result {
        guard
            let kept = try await context.untilAvailable(
                .database,
                { [store] in
                    try await store.keptAnswer(to: key)
                }
            )
        else { return .drained }
        if let kept {
            count("from_cache")
            return .answered(ModelAnswer(kept))
        }
        return try await slots.withSlot { try await self.converse(question, key, message) }
    }

    /// Asks, and once more with the reason where the answer does not hold.
    private func converse(_ question: Question, _ key: String, _ message: Message) async throws -> Result {
        switch try await learnSupport() {
        case .success: break
        case .failure(let stop): return stop.result
        }
        var conversation = Conversation(question, settings, support: support ?? .ignored)
        switch try await firstAnswer(to: key) {
        case .drained: return .drained
        case .none: break
        case .kept(let answer):
            guard let reason = question.judge(answer).reasonToAskAgain else { return .answered(answer) }
            conversation.goOn(after: answer, because: reason, cost: nil)
        }
        while true {
            guard let request = conversation.request else {
                return conversation.earlier.map { .answered($0) }
                    ?? .declined(DeclineReason(.tooLong, "it does not fit into \(settings.messageTokens) tokens"))
            }
            let isLast = conversation.isLast
            let outcome = try await call(request, parser: question.rule.id, channel: message.channelID) { answer in
                let model = ModelAnswer(answer)
                let isFinal = isLast || question.judge(model).reasonToAskAgain == nil
                let place = isFinal ? key : Self.firstAnswerKey(key)
                return KeptAnswer(place, model, question, message, self.settings.model)
            }
            switch outcome {
            case .failure(let stop):
                // The first answer's verdict stands where the second cannot be had for want of tokens.
                if case .declined = stop, let earlier = conversation.earlier { return .answered(earlier) }
                return stop.result
            case .success(let (answer, cost)):
                let model = ModelAnswer(answer)
                guard !isLast, let reason = question.judge(model).reasonToAskAgain else { return .answered(model) }
                count("asked_again")
                conversation.goOn(after: model, because: reason, cost: cost)
            }
        }
    }

    private enum FirstAnswer {
        case none
        case kept(ModelAnswer)
        case drained
    }

    /// An answer that did not hold is kept too, under a key of its own, so that a worker killed over the second
    /// question does not ask the first again.
    private func firstAnswer(to key: String) async throws -> FirstAnswer {
        let found = try await context.untilAvailable(.database) { [store] in
            try await store.keptAnswer(to: Self.firstAnswerKey(key))
        }
        switch found {
        case nil: return .drained
        case .some(nil): return .none
        case .some(let kept?): return .kept(ModelAnswer(kept))
        }
    }

    private static func firstAnswerKey(_ key: String) -> String { key + "-1" }

    // MARK: One call

    /// Why a call brought no answer.
    private enum Stop: Error {
        case parked(Parking)
        case declined(DeclineReason)
        case failed(Fault)
        case drained

        var result: Result {
            switch self {
            case .parked(let parking): .parked(parking)
            case .declined(let reason): .declined(reason)
            case .failed(let fault): .failed(fault)
            case .drained: .drained
            }
        }
    }

    /// Sends a request when the gate and the budget allow it, twice where the first fails in passing.
    ///
    /// - Parameter keeping: what of the answer is to be kept.
    /// - Returns: the answer, and what it cost.
    private func call(
        _ request: ChatRequest,
        parser: String,
        channel: Snowflake?,
        keeping: (ChatAnswer) -> KeptAnswer?
    ) async throws -> Swift.Result<(ChatAnswer, Int), Stop> {
        var hasFailed = false
        while true {
            let reserved: TokenReservation
            switch try await pass(request, parser, channel) {
            case .failure(let stop): return .failure(stop)
            case .success(let tokens): reserved = tokens
            }
            do {
                guard
                    let answer = try await context.untilDrained(
                        grace: Self.grace,
                        { [client] in
                            try await client.ask(request)
                        }
                    )
                else {
                    gate.abandoned()
                    await settle(reserved, .failed)
                    return .failure(.drained)
                }
                gate.answered()
                count("answers")
                let cost = answer.usage.map {
                    TokenCost.known(prompt: $0.promptTokens, completion: $0.completionTokens)
                }
                await settle(reserved, cost ?? .untold, keeping: keeping(answer))
                return .success((answer, answer.usage?.total ?? reserved.tokens))
            } catch let fault as OpenAIFault {
                await settle(reserved, fault.mayHaveCost ? .failed : .nothing)
                if let stop = await learn(from: fault, isSecond: hasFailed) { return .failure(stop) }
                if fault.kind == .passing { hasFailed = true }
            }
        }
    }

    /// Waits until the gate lets a request through, and sets its tokens aside.
    private func pass(
        _ request: ChatRequest,
        _ parser: String,
        _ channel: Snowflake?
    ) async throws -> Swift.Result<TokenReservation, Stop> {
        while true {
            // What waited for a slot must not begin a call that the drain would cut off.
            guard !context.drain.isRequested else { return .failure(.drained) }
            switch gate.ask(at: Self.now) {
            case .wait(let rest):
                guard await context.drain.sleep(for: rest) else { return .failure(.drained) }
            case .parked(let until): return .failure(.parked(.server(until: Self.start + until)))
            case .now:
                let tokens = TokenReservation(
                    day: UTCDay.now,
                    channel: channel,
                    parser: parser,
                    tokens: request.tokensSetAside
                )
                switch try await reserve(tokens) {
                case .success(let tokens): return .success(tokens)
                case .failure where unsettled > 0:
                    // Answers are mostly shorter than they might be: what is given back may be enough.
                    gate.abandoned()
                    guard await context.drain.sleep(for: Self.glance) else { return .failure(.drained) }
                case .failure(let stop):
                    gate.abandoned()
                    return .failure(stop)
                }
            }
        }
    }

    private func reserve(_ tokens: TokenReservation) async throws -> Swift.Result<TokenReservation, Stop> {
        let budget = TokenBudget(day: settings.dailyTokens, channel: settings.channelTokens)
        let answer = try await context.untilAvailable(.database) { [store] in
            try await store.reserve(tokens, within: budget)
        }
        // While calls are under way, what they give back may be enough.
        if unsettled == 0 || answer == .granted { spent.note(answer, to: tokens) }
        switch answer {
        case nil: return .failure(.drained)
        case .granted:
            unsettled += 1
            return .success(tokens)
        case .daySpent where settings.onBudget == .park: return .failure(.parked(.day(tokens.day)))
        case .channelSpent where settings.onBudget == .park: return .failure(.parked(.channel))
        case .daySpent: return .failure(.declined(DeclineReason(.budget, "the day's tokens are spent")))
        case .channelSpent:
            return .failure(.declined(DeclineReason(.budget, "the day's tokens of this channel are spent")))
        }
    }

    /// What could not be settled stays set aside: the budget errs on the side of too little.
    private func settle(_ tokens: TokenReservation, _ cost: TokenCost, keeping answer: KeptAnswer? = nil) async {
        defer { unsettled -= 1 }
        do {
            try await store.settle(tokens, as: cost, keeping: answer)
        } catch {
            context.logger.warning("the cost of a call could not be noted", metadata: ["error": "\(error)"])
        }
    }

    /// What a fault means for the message at hand; `nil` to try again.
    private func learn(from fault: OpenAIFault, isSecond: Bool) async -> Stop? {
        let wasOpen = gate.isOpen
        gate.failed(fault.kind, at: Self.now)
        count("faults")
        if gate.isOpen && !wasOpen {
            count("breaker_opened")
            context.logger.error("the server is not asked for a while", metadata: ["error": "\(fault)"])
        } else {
            context.logger.info("a call brought no answer", metadata: ["error": "\(fault)"])
        }
        switch fault.kind {
        case .limited: return nil
        case .refused: return .failed(Fault(fault))
        case .quotaSpent, .unauthorised, .notFound: return nil
        case .passing where gate.isOpen: return nil
        case .passing:
            if isSecond { return .failed(Fault(fault)) }
            return await context.drain.sleep(for: .milliseconds(200)) ? nil : .drained
        }
    }

    // MARK: What the server can do

    /// Finds out, before the first question, what the server makes of a schema. One asks for all.
    private func learnSupport() async throws -> Swift.Result<Void, Stop> {
        guard support == nil else { return .success(()) }
        if let probing { return try await probing.value }
        let probe = Task { try await self.probe() }
        probing = probe
        defer { probing = nil }
        return try await probe.value
    }

    private func probe() async throws -> Swift.Result<Void, Stop> {
        while true {
            let outcome = try await call(SchemaSupport.probe(model: settings.model), parser: "(probe)", channel: nil) {
                _ in nil
            }
            switch outcome {
            case .success(let (answer, _)): learned(SchemaSupport(answer))
            case .failure(.failed(let fault)) where fault.kind == .permanent: learned(.refused)
            // No message is to blame for what the probe met.
            case .failure(.failed): continue
            case .failure(let stop): return .failure(stop)
            }
            return .success(())
        }
    }

    private func learned(_ found: SchemaSupport) {
        guard support == nil else { return }
        support = found
        let meaning =
            switch found {
            case .honoured: "the server holds answers to the schema"
            case .ignored: "the server takes a schema and pays no heed to it; it is spelt out to the model as well"
            case .refused: "the server refuses requests with a schema; it is only spelt out to the model"
            }
        context.logger.info("\(meaning)", metadata: ["model": "\(settings.model)"])
    }

    // MARK: Time

    private static var now: Duration { ContinuousClock.now - start }
    /// How often to look whether a call under way has given tokens back.
    private static let glance: Duration = .milliseconds(250)
}
