import Logging
import Messaging
import Storage

/// Queues of stages on which nobody works any more: of plugins that were taken out of `pipeline.yaml`, and of a last resort
/// that is off. What is in them waits for ever, and is not to be forgotten.
struct FormerQueues {
    private static let pause: Duration = .seconds(60)

    private let context: WorkerContext
    private var next = ContinuousClock.now
    /// Pages and batches in them when they were last looked at.
    private(set) var pages = 0

    init(_ context: WorkerContext) {
        self.context = context
    }

    /// Looks at them, once a minute.
    mutating func survey(_ store: any Store) async {
        guard ContinuousClock.now >= next else { return }
        next = .now + Self.pause
        // Only told of: trouble here must stop nobody.
        guard let stages = try? await store.rememberedStages() else { return }
        pages = await Self.left(in: stages, context).reduce(0) { $0 + $1.messages }
    }

    /// - Parameter stages: all that the pipeline ever had.
    /// - Returns: those of their queues that nobody reads and in which something waits.
    static func left(in stages: [String], _ context: WorkerContext) async -> [QueueCounts] {
        let topology = context.topology
        let working = topology.stages.filter { $0 != Topology.openai || context.hasLastResort }
        let former = stages.filter { !working.contains($0) }
        // The dead queues of the topology are read, whoever works.
        let queues =
            former.map(topology.workQueue)
            + former.filter { !topology.stages.contains($0) }.map(topology.deadQueue)
        guard !queues.isEmpty, let address = try? context.brokerAddress() else { return [] }
        let found = try? await context.showingLife { try await TopologySetup.survey(queues, at: address) }
        return (found ?? []).filter { $0.messages > 0 }
    }
}
