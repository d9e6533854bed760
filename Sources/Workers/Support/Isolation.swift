import Logging
import Messaging
import Model
import PipelineFile
import Processes

/// Keeps a message that kills its worker from doing so for ever, and from taking its neighbours with it.
///
/// A page over which a worker died is split into pages of one; a page of one goes dead, unread, once two workers
/// crashed over it. So one such message costs three crashes, or four where a worker acts on several deliveries at once;
/// fewer than open the worker's breaker.
///
/// A worker that is killed has not crashed: whoever kills workers would bury whatever they had in hand. But the kernel
/// kills too, when memory runs out. So a message that was in hand three times goes to the retry levels, out of the way
/// of the others, and is dead only after it was so after each of them.
struct Isolation: Sendable {
    enum Verdict: Equatable {
        case act
        /// Into pages of one.
        case split
        /// To the dead letters, without another look at it.
        case bury
        /// To the retry levels: it was in hand each time a worker was killed, and nothing says that it did that.
        case postpone
        /// Returned so often that RabbitMQ would soon give it up, but never seen to do harm: to be published anew.
        case renew
    }

    /// So many deaths, and it is not looked at any more: a page could not even be taken apart.
    private static let deathsOfAPage = 3
    private static let crashesOfOne = 2
    /// Well below ``Topology``'s delivery limit of 20.
    private static let maximumReturns = 10

    /// - Parameter elements: how many elements it has; asked for only if somebody died, since taking it apart may be what
    ///   kills.
    static func verdict(
        _ evidence: Suspects.Evidence,
        deliveryCount: Int,
        isIsolated: Bool,
        elements: () -> Int
    ) -> Verdict {
        if evidence.deaths == 0 { return deliveryCount >= maximumReturns ? .renew : .act }
        if evidence.deaths >= deathsOfAPage { return evidence.crashes >= crashesOfOne ? .bury : .postpone }
        if isIsolated || elements() == 1 { return evidence.crashes >= crashesOfOne ? .bury : .act }
        return .split
    }

    let context: WorkerContext
    let stage: String
    let suspects: Suspects

    init(_ context: WorkerContext, stage: String) {
        self.context = context
        self.stage = stage
        suspects = Suspects(dataFolder: context.pipeline.dataFolder, stage: stage, generation: context.live)
        CrashNotes.begin()
    }

    /// What to publish, and then acknowledge the delivery, instead of acting on it; `nil` when it is to be acted on.
    ///
    /// - Parameter hold: from ``Suspects/hold(_:)``, to be kept until the delivery has been acted on.
    func instead(of delivery: Delivery, _ hold: Suspects.Hold?) -> [OutgoingMessage]? {
        guard let hold else { return nil }
        let verdict = Self.verdict(
            hold.evidence,
            deliveryCount: delivery.deliveryCount,
            isIsolated: delivery.headers?.isIsolated == true,
            elements: { max(1, Self.elements(of: delivery).count) }
        )
        switch verdict {
        case .act: return nil
        case .split: return split(delivery)
        case .bury:
            hold.remember()
            let fault = Fault(
                .permanent,
                code: "crash",
                "\(hold.evidence.deaths) workers of \(stage) died while they had it in hand"
            )
            return [context.failed(delivery, in: stage, fault)]
        case .postpone:
            let fault = Fault(
                .transient,
                code: "killed",
                "\(hold.evidence.deaths) workers of \(stage) were killed while they had it in hand"
            )
            return [context.failed(delivery, in: stage, fault)]
        case .renew: return [again(delivery, messageID: delivery.messageID ?? "unknown", body: delivery.body)]
        }
    }

    /// Takes the note of a delivery away once the process drains: a stop that has to be forced is not the message's doing.
    ///
    /// - Returns: to be cancelled when the delivery has been acted on.
    func withdrawingOnDrain(_ hold: Suspects.Hold?) -> Task<Void, Never>? {
        guard let hold else { return nil }
        return Task { [drain = context.drain] in
            await drain.wait()
            if drain.isRequested { hold.withdraw() }
        }
    }

    /// None when the body is no JSON array.
    private static func elements(of delivery: Delivery) -> [JSONView] {
        (try? JSONDocument(delivery.body)).map { Array($0.root.elements) } ?? []
    }

    private func split(_ delivery: Delivery) -> [OutgoingMessage] {
        let elements = Self.elements(of: delivery)
        context.logger.warning(
            "a worker died over this page; its messages are tried one by one",
            metadata: [
                "stage": "\(stage)", "message_id": "\(delivery.messageID ?? "")", "messages": "\(elements.count)",
            ]
        )
        return elements.enumerated().map { index, element in
            let id = (element["message"]?["id"] ?? element["id"])?.string
            var single = again(
                delivery,
                messageID: OutgoingMessage.fitting(id ?? "\(delivery.messageID ?? "page"):\(index)"),
                body: Page.alone(Array(element.raw))
            )
            single.headers.isIsolated = true
            return single
        }
    }

    /// To the end of the same queue, where it counts as never handed out.
    private func again(_ delivery: Delivery, messageID: String, body: [UInt8]) -> OutgoingMessage {
        OutgoingMessage(
            exchange: context.topology.workExchange,
            routingKey: stage,
            type: delivery.type,
            messageID: messageID,
            headers: delivery.headers ?? context.headers(),
            body: body
        )
    }
}
