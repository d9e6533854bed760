import Logging
import Messaging
import Model
import PipelineFile
import Storage

/// What `store` does with pages of deletions, which come to it beside the record batches: a tombstone for each, and
/// where the channel says `on_delete: erase`, all that was stored goes. Of a channel that keeps, they change nothing.
struct DeletionWriter {
    private let context: WorkerContext
    private let store: any Store
    private let following: Set<Snowflake>
    private let erasing: Set<Snowflake>

    init(_ context: WorkerContext, store: any Store, channels: [Pipeline.Channel]) {
        self.context = context
        self.store = store
        following = Set(channels.filter { $0.onDelete != .keep }.map(\.id))
        erasing = Set(channels.filter { $0.onDelete == .erase }.map(\.id))
    }

    /// Writes those of the deliveries that are pages of deletions.
    ///
    /// - Parameter outgoing: gets what is to be published for those that cannot be written.
    /// - Returns: false when the process drains before they are written.
    func write(_ deliveries: [Delivery], failed outgoing: inout [OutgoingMessage]) async throws -> Bool {
        for delivery in deliveries where delivery.type == WireType.delete {
            do {
                if let foreign = delivery.headers?.pipeline, foreign != context.pipeline.name {
                    throw Fault(.permanent, "the page of deletions belongs to pipeline '\(foreign)'")
                }
                let page = try DeletePage.decode(delivery.body).filter { following.contains($0.channelID) }
                let written: Void? = try await context.untilAvailable(.database) {
                    try await context.tryingTwice { try await store.delete(page, erasing: erasing) }
                }
                guard written != nil else { return false }
            } catch {
                let fault = Fault(error)
                guard fault.kind == .transient || fault.kind == .permanent else { throw error }
                outgoing.append(context.failed(delivery, in: Topology.store, fault))
            }
        }
        return true
    }
}
