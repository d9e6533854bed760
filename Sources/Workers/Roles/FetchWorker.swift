import Logging
import Messaging
import Model
import PipelineFile
import Remote
import Storage
import Synchronization

/// `fetch`: reads every channel of the pipeline by REST and publishes what it finds as pages.
///
/// One task a channel, all behind one rate limiter, so that a bad channel never stops another. Each task's loop is in
/// ``ChannelReader``.
package struct FetchWorker {
    private let context: WorkerContext
    private let http: HTTPClient
    private let discord: DiscordREST
    private let store: any Store
    private let publishing: ConfirmedPublishing
    private let fetcherID: String

    package init(_ context: WorkerContext) throws {
        self.context = context
        fetcherID = try FetcherID.load(dataFolder: context.pipeline.dataFolder)
        guard let token = context.pipeline.discord.token else {
            throw WorkerFailure(exitCode: ExitCode.configuration, "discord.token is not set")
        }
        http = HTTPClient(userAgent: DiscordREST.userAgent, logger: context.logger)
        discord = DiscordREST(
            api: context.pipeline.discord.api,
            token: try context.secret(token),
            http: http,
            logger: context.logger
        )
        store = try context.openStore(url: context.optionalSecret(context.pipeline.store.fetchURL))
        publishing = ConfirmedPublishing(context: context, publisher: try context.publisher())
    }

    /// Runs until the process drains.
    ///
    /// - Throws: ``WorkerFailure`` with exit code 78 when Discord refuses the token: no retry mends that, and repeated
    ///   refusals would have the address banned.
    package func run() async throws {
        guard try await context.untilAvailable(.database, { try await store.checkReady() }) != nil else { return }
        let inbox = ChannelInbox(context.pipeline.channels)
        try await context.takingOver(as: .fetch) { generation in
            inbox.put(generation.pipeline.channels)
        } while: {
            context.control.say(.ready)
            try await read(inbox)
        }
        await publishing.publisher.close()
        await store.close()
        http.close()
    }

    private enum Event: Sendable {
        case channels([Pipeline.Channel])
        case readerEnded(Snowflake)
        /// The process drains.
        case draining
        case listsEnded
    }

    /// Keeps a reader for each channel of the latest list: those that are the same in it go on undisturbed.
    private func read(_ inbox: ChannelInbox) async throws {
        let watching = Task { [services = context.services, publisher = publishing.publisher] in
            await services.watch(.broker) { publisher.isConnected }
        }
        defer { watching.cancel() }
        let progress = FetchProgress()
        let turns = LoopTurns()
        var crew = ReaderCrew()
        try await withThrowingTaskGroup(of: Event.self) { group in
            group.addTask {
                await report(progress, turns)
                return .draining
            }
            group.addTask { await inbox.next().map { .channels($0) } ?? .listsEnded }
            do {
                while let event = try await group.next() {
                    switch event {
                    case .channels(let channels):
                        crew.want(context.drain.isRequested ? [] : channels)
                        group.addTask { await inbox.next().map { .channels($0) } ?? .listsEnded }
                    case .readerEnded(let channel):
                        progress.mark(channel, degraded: false)
                        crew.ended(channel)
                    case .draining:
                        crew.want([])
                        inbox.close()
                    case .listsEnded: break
                    }
                    while let (channel, drain) = crew.next() {
                        turns.began(channel.id)
                        group.addTask {
                            try await reader(of: channel, draining: drain, progress, turns).run()
                            turns.ended(channel.id)
                            return .readerEnded(channel.id)
                        }
                    }
                }
            } catch {
                // One of them cannot go on and no other may: the process ends with its exit code.
                context.drain.request()
                crew.want([])
                inbox.close()
                throw error
            }
        }
    }

    private func reader(
        of channel: Pipeline.Channel,
        draining drain: DrainSignal,
        _ progress: FetchProgress,
        _ turns: LoopTurns
    ) -> ChannelReader {
        var context = context.draining(by: drain)
        context.turn = { [control = context.control] service in
            guard turns.turned(channel.id, waitingFor: service) else { return }
            control.beat(done: progress.takeDone(), waitingFor: turns.waitedFor)
        }
        return ChannelReader(
            channel: channel,
            context: context,
            discord: discord,
            store: store,
            publishing: ConfirmedPublishing(context: context, publisher: publishing.publisher),
            progress: progress,
            holder: fetcherID
        )
    }

    /// Tells the supervisor and, while there is much to read, the log how far it has come. Signs of life are given by
    /// the channels' loops; only without any channel it is enough to be here.
    private func report(_ progress: FetchProgress, _ turns: LoopTurns) async {
        var logged: Int64 = 0
        repeat {
            let counts = progress.counts
            if turns.isEmpty { context.control.beat(done: progress.takeDone()) }
            context.control.say(.stats(counts))
            let accepted = counts["accepted"] ?? 0
            if accepted >= logged + 1_000 {
                logged = accepted
                context.logger.info("reading history", metadata: ["accepted": .stringConvertible(accepted)])
            }
        } while await context.drain.sleep(for: .seconds(1))
    }
}

/// Which of the loops side by side have turned: the process is alive when all of them are, so that one that hangs is
/// noticed.
final class LoopTurns: Sendable {
    private struct State {
        var loops: Set<Snowflake> = []
        var missing: Set<Snowflake> = []
        /// What some of them wait for.
        var services: [Snowflake: String] = [:]
    }

    private let state = Mutex(State())

    var isEmpty: Bool { state.withLock { $0.loops.isEmpty } }

    /// What one of the loops waits for: then not all work at hand can be finished.
    var waitedFor: String? { state.withLock { $0.services.min { $0.key < $1.key }?.value } }

    func began(_ loop: Snowflake) {
        state.withLock { state in
            state.loops.insert(loop)
            state.missing.insert(loop)
        }
    }

    func ended(_ loop: Snowflake) {
        state.withLock { state in
            state.loops.remove(loop)
            state.missing.remove(loop)
            state.services[loop] = nil
        }
    }

    /// - Returns: whether every loop has turned since this last was true.
    func turned(_ loop: Snowflake, waitingFor service: String? = nil) -> Bool {
        state.withLock { state in
            state.services[loop] = service
            state.missing.remove(loop)
            guard state.missing.isEmpty else { return false }
            state.missing = state.loops
            return true
        }
    }
}

/// Counters of all channels together.
final class FetchProgress: Sendable {
    private struct State {
        var accepted: Int64 = 0
        var ignored: Int64 = 0
        var done = 0
        var atHand = 0
        var degraded: Set<Snowflake> = []
    }

    private let state = Mutex(State())

    /// - Parameters:
    ///   - accepted: messages of an ingestible type whose publish was confirmed.
    ///   - ignored: system messages passed over.
    func add(accepted: Int, ignored: Int) {
        state.withLock { state in
            state.accepted += Int64(accepted)
            state.ignored += Int64(ignored)
            state.done += accepted + ignored
        }
    }

    func mark(_ channel: Snowflake, degraded: Bool) {
        state.withLock { state in
            if degraded { state.degraded.insert(channel) } else { state.degraded.remove(channel) }
        }
    }

    var counts: [String: Int64] {
        state.withLock { state in
            ["accepted": state.accepted, "ignored": state.ignored, "degraded_channels": Int64(state.degraded.count)]
        }
    }

    /// Takes note of messages that are being published, or are not any more.
    ///
    /// - Returns: how many there are in all channels.
    func hold(_ change: Int) -> Int {
        state.withLock { state in
            state.atHand += change
            return state.atHand
        }
    }

    func takeDone() -> Int {
        state.withLock { state in
            defer { state.done = 0 }
            return state.done
        }
    }
}
