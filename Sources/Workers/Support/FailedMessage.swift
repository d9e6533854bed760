import Logging
package import Messaging
package import Model
import PipelineFile

/// A message that could not be worked on: alone, never with the rest of its page.
package struct FailedMessage: Sendable {
    /// The stage it failed in, and to which it returns.
    package var stage: String
    /// The AMQP `type` it came with.
    package var type: String?
    /// What the stage can be given once more: a page or a batch of this one message.
    package var body: [UInt8]
    /// The Discord id where it is known: the same for every attempt.
    package var messageID: String
    /// The headers of the delivery it came in.
    package var received: WireHeaders?

    package init(stage: String, type: String?, body: [UInt8], messageID: String, received: WireHeaders?) {
        self.stage = stage
        self.type = type
        self.body = body
        self.messageID = messageID
        self.received = received
    }

    /// What is to be published before its delivery may be acknowledged: the message for the next retry level, or for
    /// the dead queue of its stage when the fault is permanent or every level has been tried.
    ///
    /// - Parameters:
    ///   - fault: neither an outage nor the configuration: those are no fault of a message.
    ///   - worker: who failed, `parse/1` and the like.
    package func next(
        after fault: Fault,
        topology: Topology,
        pipeline: String,
        worker: String,
        generation: Int,
        at now: Timestamp
    ) -> OutgoingMessage {
        var headers = received ?? WireHeaders(pipeline: pipeline)
        headers.firstAt = headers.firstAt ?? now
        headers.attemptTimes.append(now)
        headers.error = fault.description
        headers.worker = worker
        headers.generation = generation
        let level = fault.kind == .permanent ? nil : Topology.RetryLevel(attempt: headers.attempt)
        if level != nil { headers.attempt += 1 }
        return OutgoingMessage(
            exchange: level.map(topology.retryExchange) ?? topology.deadExchange,
            routingKey: stage,
            type: type,
            messageID: OutgoingMessage.fitting(messageID),
            headers: headers,
            body: body
        )
    }
}

extension WorkerContext {
    /// What is to be published for a delivery that failed, or for one message of it, before the delivery may be
    /// acknowledged.
    ///
    /// - Parameters:
    ///   - messageID: of the message that failed; absent when the delivery cannot even be taken apart.
    ///   - body: the page or batch of that one message; absent likewise.
    func failed(
        _ delivery: Delivery,
        in stage: String,
        _ fault: Fault,
        messageID: String? = nil,
        body: [UInt8]? = nil
    ) -> OutgoingMessage {
        next(
            FailedMessage(
                stage: stage,
                type: delivery.type,
                body: body ?? delivery.body,
                messageID: messageID ?? delivery.messageID ?? "unknown",
                received: delivery.headers
            ),
            after: fault
        )
    }

    /// As ``FailedMessage/next(after:topology:pipeline:worker:generation:at:)``, with a line in the log.
    func next(_ failed: FailedMessage, after fault: Fault) -> OutgoingMessage {
        let outgoing = failed.next(
            after: fault,
            topology: topology,
            pipeline: pipeline.name,
            worker: name,
            generation: live.number,
            at: .now
        )
        let isDead = outgoing.exchange == topology.deadExchange
        logger.log(
            level: isDead ? .error : .warning,
            isDead ? "a message goes to the dead letters" : "a message will be tried again",
            metadata: [
                "stage": "\(failed.stage)", "message_id": "\(failed.messageID)", "error": "\(fault)",
                "attempt": "\(outgoing.headers.attemptTimes.count)",
            ]
        )
        return outgoing
    }

    /// Tries `body` once more in the process when it fails with a transient fault.
    ///
    /// - Throws: ``Fault``, or `CancellationError`.
    func tryingTwice<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as CancellationError {
            throw error
        } catch {
            let fault = Fault(error)
            guard fault.kind == .transient, await drain.sleep(for: Self.secondTryAfter) else { throw fault }
        }
        do {
            return try await body()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Fault(error)
        }
    }

    private static var secondTryAfter: Duration { .milliseconds(50) }
}
