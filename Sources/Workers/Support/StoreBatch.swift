import Messaging
import Model
import PipelineFile
import Storage

/// What one transaction of the store takes: deliveries, decoded as they come.
struct StoreBatch {
    /// As many messages as a transaction holds.
    private static let maximumMessages = 2_000
    /// What the deliveries weigh together; decoded they take some three times that.
    private static let maximumBytes = 4 << 20

    /// What it is decoded by, and written by.
    let content: StoreShelf.Content
    private let context: WorkerContext
    private let types: [String: RecordType]

    private(set) var deliveries: [Delivery] = []
    /// What is to be written.
    private(set) var messages: [ParsedMessage] = []
    /// By the place in ``messages``, the place of its delivery.
    private var origins: [Int] = []
    /// What is to be published for what cannot be written.
    private(set) var failed: [OutgoingMessage] = []
    private var bytes = 0

    init(_ content: StoreShelf.Content, _ context: WorkerContext) {
        self.content = content
        self.context = context
        types = content.types
    }

    var isEmpty: Bool { deliveries.isEmpty }
    var isFull: Bool { messages.count >= Self.maximumMessages || bytes >= Self.maximumBytes }

    func delivery(of message: Int) -> Delivery { deliveries[origins[message]] }

    /// Pages of deletions are kept as they are.
    mutating func add(_ delivery: Delivery) {
        deliveries.append(delivery)
        bytes += delivery.body.count
        guard delivery.type != WireType.delete else { return }
        if let foreign = delivery.headers?.pipeline, foreign != context.pipeline.name {
            return fail(delivery, Fault(.permanent, "the record batch belongs to pipeline '\(foreign)'"))
        }
        do {
            for (index, element) in try RecordBatch.decode(delivery.body, types: types).enumerated() {
                switch element {
                case .parsed(let parsed):
                    messages.append(parsed)
                    origins.append(deliveries.count - 1)
                case .broken(let error, let payload):
                    let id = error.id?.description ?? "\(delivery.messageID ?? "batch"):\(index)"
                    fail(delivery, Fault(error), messageID: id, body: Page.alone(payload))
                }
            }
        } catch {
            fail(delivery, Fault(error))
        }
    }

    private mutating func fail(
        _ delivery: Delivery,
        _ fault: Fault,
        messageID: String? = nil,
        body: [UInt8]? = nil
    ) {
        failed.append(context.failed(delivery, in: Topology.store, fault, messageID: messageID, body: body))
    }
}
