import Logging
import Messaging
import Model
import PipelineFile
import Storage

/// `deadletter`: moves the dead queues into the table `dead_letters`, and acknowledges after the commit.
package struct DeadletterWorker {
    private let context: WorkerContext
    private let shelf: StoreShelf
    private let consumer: Consumer

    package init(_ context: WorkerContext) throws {
        self.context = context
        shelf = StoreShelf(StoreShelf.Content(store: try context.openStore(), of: context.pipeline))
        consumer = try context.consumer(of: context.topology.deadQueues, largestBody: .max)
    }

    /// Runs until the process drains; what is in hand is finished first.
    package func run() async throws {
        let first = shelf.current.store
        guard try await context.untilAvailable(.database, { try await first.checkReady() }) != nil else { return }
        try await context.takingOver(as: .deadletter) { [context, shelf] generation in
            try shelf.put(generation.pipeline) { try context.openStore(records: $0) }
        } while: {
            try await context.consuming(consumer) { try await work() }
        }
        await shelf.close()
    }

    private func work() async throws {
        var moved: Int64 = 0
        var retention = RetentionSweep(
            days: context.pipeline.store.retentionDays,
            logger: context.logger
        )
        var former = FormerQueues(context)
        func report() { context.control.say(.stats(["moved": moved, "unread_pages": Int64(former.pages)])) }
        while let event = try await consumer.next(within: .seconds(1)) {
            context.control.beat()
            let store = await shelf.take().store
            guard case .delivery(let delivery) = event else {
                await retention.run(store)
                let before = former.pages
                await former.survey(store)
                if former.pages != before { report() }
                continue
            }
            context.control.hold(1)
            let letter = DeadLetter(delivery, context: context)
            let stored: Void? = try await context.untilAvailable(.database, pausing: consumer) {
                do {
                    try await store.insert([letter])
                } catch let error as StoreError where error.code == .badData {
                    try await store.insert([letter.reduced(because: error)])
                }
            }
            guard stored != nil else { break }
            consumer.acknowledge(delivery)
            moved += 1
            context.control.hold(0)
            context.control.beat(done: 1)
            report()
            context.logger.warning(
                "dead letter",
                metadata: ["stage": "\(letter.stage)", "id": "\(letter.id)", "error": "\(letter.errorText)"]
            )
        }
    }
}

extension DeadLetter {
    /// What a delivery from a dead queue says about itself.
    ///
    /// The broker's own reason (`rejected`, `delivery_limit`) counts where there is one: what our workers bury bears no
    /// `x-death`, and an error in the headers is then that of an earlier attempt.
    init(_ delivery: Delivery, context: WorkerContext) {
        let headers = delivery.headers
        let isOversized = delivery.body.count > WorkerContext.largestWork
        let error =
            isOversized
            ? "permanent: larger than \(WorkerContext.largestWork >> 20) MiB, which no worker takes"
            : delivery.deathReason.map { "broker \($0): RabbitMQ gave the message up" }
                ?? headers?.error ?? "unknown: dead-lettered without a reason"
        let parts = Fault.parts(of: error)
        let stage = delivery.routingKey
        let died = delivery.timestamp ?? .now
        let times = headers?.attemptTimes ?? []
        self.init(
            id: DeadLetter.makeID(
                messageID: Self.identity(of: delivery.body, type: delivery.type, messageID: delivery.messageID),
                stage: stage,
                replay: delivery.headers?.replay
            ),
            stage: stage,
            messageIDs: Self.elements(of: delivery.body).compactMap(\.self),
            errorClass: parts.kind,
            errorCode: parts.code,
            errorText: parts.text,
            attempts: max(1, times.count),
            attemptTimes: times.isEmpty ? [died] : times,
            firstAt: headers?.firstAt ?? times.first ?? died,
            lastAt: times.last ?? died,
            worker: headers?.worker ?? context.name,
            version: Chaffinch.version,
            generation: headers?.generation ?? context.live.number,
            fingerprint: DeadLetter.makeFingerprint(stage: stage, error: error),
            payload: delivery.body,
            messageID: delivery.messageID,
            type: delivery.type,
            pipeline: delivery.headers?.pipeline,
            replay: delivery.headers?.replay
        )
    }

    /// One message has one letter a stage, whatever page or batch it came in and however often: it is known by its id. What
    /// else dies may bear any `message_id`, or none, and two of them must stay two: they are told apart by what is in them.
    package static func identity(of body: [UInt8], type: String?, messageID: String?) -> String {
        let elements = elements(of: body)
        // A deletion is not the message that it deletes.
        if type != WireType.delete, elements.count == 1, let id = elements[0] { return id.description }
        var hash = StableHash()
        hash.add(body)
        return OutgoingMessage.fitting(messageID ?? "unknown") + "~" + hash.hexadecimal
    }

    /// A letter without anything a database could refuse, so that an odd one does not come back for ever.
    fileprivate func reduced(because error: StoreError) -> DeadLetter {
        var letter = self
        letter.messageIDs = []
        letter.errorText = "\(errorClass); stored without its details because of: \(error.code)"
        letter.errorCode = nil
        return letter
    }

    /// The id of each Discord message in a page, a record batch, or a single element of either; `nil` for what has none.
    private static func elements(of body: [UInt8]) -> [Snowflake?] {
        guard let document = try? JSONDocument(body) else { return [] }
        func id(_ json: JSONView) -> Snowflake? {
            (json["message"]?["id"] ?? json["id"])?.string.flatMap { Snowflake($0) }
        }
        if document.root.kind == .object { return [id(document.root)] }
        return document.root.elements.map(id)
    }
}
