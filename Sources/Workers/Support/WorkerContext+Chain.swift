import Messaging
import Model
import PipelineFile

extension WorkerContext {
    var chain: Chain { Chain(plugins: [], hasLastResort: false) }

    /// What must be confirmed before the delivery that `batch` came of may be acknowledged: at most one record batch
    /// for store and one for the next stage of the chain.
    func outgoing(_ batch: [ParsedMessage], from stage: String, of delivery: Delivery) -> [OutgoingMessage] {
        let routing = chain.route(batch, from: stage)
        var outgoing: [OutgoingMessage] = []
        func add(_ part: [ParsedMessage], to stage: String) {
            guard !part.isEmpty else { return }
            outgoing.append(
                OutgoingMessage(
                    exchange: topology.workExchange,
                    routingKey: stage,
                    type: WireType.batch,
                    messageID: delivery.messageID ?? part[0].message.id.description,
                    headers: headers(keeping: delivery.headers),
                    body: RecordBatch.encode(part)
                )
            )
        }
        add(routing.store, to: Topology.store)
        if let next = routing.next { add(routing.onward, to: next) }
        return outgoing
    }
}
