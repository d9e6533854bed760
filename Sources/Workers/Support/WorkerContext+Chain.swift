import Messaging
import Model
import PipelineFile

extension WorkerContext {
    var chain: Chain { Chain(plugins: pipeline.plugins.map(\.name), hasLastResort: hasLastResort) }

    /// A batch for the last resort is small: its messages are asked about one by one, and none may wait in hand for
    /// half an hour.
    private static var mostForLastResort: Int { 8 }

    /// What must be confirmed before the delivery that `batch` came of may be acknowledged: at most one record batch
    /// for store and one for the next stage of the chain.
    func outgoing(
        _ batch: [ParsedMessage],
        from stage: String,
        of delivery: Delivery,
        admits: (Message) -> Bool = { _ in true }
    ) -> [OutgoingMessage] {
        let routing = chain.route(batch, from: stage, admits: admits)
        var outgoing: [OutgoingMessage] = []
        if !routing.store.isEmpty { outgoing.append(message(routing.store, to: Topology.store, of: delivery)) }
        guard let next = routing.next else { return outgoing }
        guard next == Topology.openai else { return outgoing + [message(routing.onward, to: next, of: delivery)] }
        for start in stride(from: 0, to: routing.onward.count, by: Self.mostForLastResort) {
            let part = Array(routing.onward[start...].prefix(Self.mostForLastResort))
            var message = message(part, to: next, of: delivery)
            if start > 0 { message.messageID = part[0].message.id.description }
            outgoing.append(message)
        }
        return outgoing
    }

    /// A part of what came in `delivery`, for another stage.
    ///
    /// - Parameter part: not empty.
    func message(_ part: [ParsedMessage], to stage: String, of delivery: Delivery) -> OutgoingMessage {
        OutgoingMessage(
            exchange: topology.workExchange,
            routingKey: stage,
            type: WireType.batch,
            messageID: delivery.messageID ?? part[0].message.id.description,
            headers: headers(keeping: delivery.headers),
            body: RecordBatch.encode(part)
        )
    }

    /// What is published instead when a stage of the chain has no room: the messages come to parse once more, after a
    /// while, so that those that have no need of that stage never wait for it. No attempt is counted.
    ///
    /// A retry queue that held them for the full one would hold up what is behind them in it, so they go back to parse.
    ///
    /// - Parameter level: how long they wait.
    /// - Returns: `nil` for what goes to store, which everything has need of, and for what is on its way back already.
    func backToParse(_ refused: OutgoingMessage, after level: Topology.RetryLevel) -> OutgoingMessage? {
        guard refused.exchange == topology.workExchange, refused.routingKey != Topology.store,
            let page = try? RecordBatch.page(of: refused.body)
        else { return nil }
        var message = refused
        message.exchange = topology.retryExchange(level)
        message.routingKey = Topology.parse
        message.type = WireType.page
        message.body = page
        return message
    }
}
