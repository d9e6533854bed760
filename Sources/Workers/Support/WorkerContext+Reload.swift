import Logging
import Model
import PipelineFile

extension WorkerContext {
    /// Takes over new generations while `body` runs, each as a whole or not at all, and tells the supervisor.
    ///
    /// - Parameters:
    ///   - take: makes what is new ready beside what is in use. What it throws is said to the supervisor, which then
    ///     replaces the process.
    func takingOver(
        as role: Role,
        _ take: @escaping @Sendable (Generation) async throws -> Void,
        while body: () async throws -> Void
    ) async throws {
        control.say(.generation(rules: Int64(live.number), ok: true, error: nil))
        let listening = Task {
            for await number in control.reloads { await takeOver(Int(number), as: role, take) }
        }
        defer { listening.cancel() }
        try await body()
    }

    private func takeOver(_ number: Int, as role: Role, _ take: (Generation) async throws -> Void) async {
        do {
            let store = GenerationStore(dataFolder: pipeline.dataFolder)
            let next = try store.load(number, readingRules: role.readsRules)
            guard next.pipeline.withLiveParts(of: pipeline, for: role) == pipeline else {
                throw WorkerFailure(exitCode: ExitCode.configuration, "only a new process can take over what changed")
            }
            try await take(next)
            live.moved(to: number)
            logger.info("works by a new generation", metadata: ["generation": "\(number)"])
            control.say(.generation(rules: Int64(number), ok: true, error: nil))
        } catch {
            control.say(.generation(rules: Int64(number), ok: false, error: "\(error)"))
        }
    }
}

extension Pipeline {
    /// This pipeline with those parts of another that a role takes over as it runs, or does not use: what is different
    /// still, only a new process can take over.
    func withLiveParts(of other: Pipeline, for role: Role) -> Pipeline {
        var pipeline = self
        pipeline.records = other.records
        pipeline.channels = other.channels
        pipeline.parsersFolder = other.parsersFolder
        if role != .openai { pipeline.openai = other.openai }
        pipeline.console = other.console
        pipeline.supervisor.stopTimeout = other.supervisor.stopTimeout
        pipeline.supervisor.logFormat = other.supervisor.logFormat
        if role != .fetch { pipeline.discord = other.discord }
        // The queues of plugins are in the chain, and so are those of what they gave up.
        let chain = { (pipeline: Pipeline) in pipeline.workers.filter { $0.consumes != nil }.map(\.name) }
        if role == .store || role == .fetch || chain(self) == chain(other) { pipeline.workers = other.workers }
        return pipeline
    }
}
