import Logging
import Messaging
import Model
import PipelineFile
import Remote
import Storage

/// Reads one channel: takes its lease, catches up from the cursor, then polls the newest page.
///
/// The cursor is the maximum id whose publish was confirmed. It may lag, and what is then read twice is absorbed by
/// the store; it never leads, so nothing is lost when the process dies anywhere here.
struct ChannelReader {
    let channel: Pipeline.Channel
    let context: WorkerContext
    let discord: DiscordREST
    let store: any Store
    let publishing: ConfirmedPublishing
    let progress: FetchProgress
    /// Under which name the lease is held.
    let holder: String

    /// Ids of messages with equal timestamps are not always in order, so each catch-up steps back this far.
    private static let overlapSeconds: UInt64 = 5
    /// What Discord needs at most to answer or to refuse, with all attempts and waits for its limits; the HTTP client
    /// ends each attempt by itself.
    private static let longestAnswer = Duration.seconds(900)
    /// A lease is a matter of milliseconds; this is for locks and for a connection that is being made.
    private static let longestStatement = Duration.seconds(120)
    private static let slowRetry = Backoff(initial: .seconds(30), maximum: .seconds(600))

    private var logger: Logger {
        var logger = context.logger
        logger[metadataKey: "channel"] = "\(channel.name)"
        return logger
    }

    /// A lease outlives a few polls, so that a fetcher that is merely slow keeps its channels.
    private var leaseDuration: Duration { max(.seconds(30), context.pipeline.discord.poll * 3) }

    /// Runs until the process drains. Trouble with this channel is logged, shown as degraded and retried slowly.
    ///
    /// - Throws: ``WorkerFailure`` when Discord refuses the token.
    func run() async throws {
        var backoff = Self.slowRetry
        var waits = WaitingNotes()
        var start: Snowflake?
        while !context.drain.isRequested {
            do {
                let succeeded = {
                    backoff.reset()
                    context.services.succeeded(.database)
                    context.services.succeeded(.discord)
                }
                if start == nil { start = try await startingPoint() }
                guard let start else { return }
                guard try await readWhileLeased(from: start, succeeded: succeeded) else {
                    if waits.note(.lease) { logger.info("another fetcher reads this channel; waiting for its lease") }
                    _ = await context.rest(for: .seconds(5))
                    continue
                }
                waits = WaitingNotes()
            } catch let error as DiscordError where error.code == .unauthorised {
                throw WorkerFailure(exitCode: ExitCode.configuration, "\(error)")
            } catch let error as DiscordError {
                progress.mark(channel.id, degraded: true)
                if Fault(error).kind == .outage { _ = context.services.failed(.discord) }
                let wait = error.code == .unavailable ? .seconds(5) : backoff.next()
                logger.error("\(error)", metadata: ["retry_in": "\(wait.components.seconds)s"])
                _ = await context.rest(for: wait)
            } catch let error as StoreError where Fault(error).kind == .outage {
                _ = context.services.failed(.database)
                if waits.note(.database) {
                    logger.warning("the database is not available; waiting", metadata: ["error": "\(error)"])
                }
                _ = await context.rest(for: .seconds(1))
            }
        }
    }

    /// - Parameter start: where a channel that was never read begins.
    /// - Returns: false when another fetcher holds the lease.
    private func readWhileLeased(from start: Snowflake, succeeded: () -> Void) async throws -> Bool {
        guard
            let lease = try await inDatabase({ store in
                try await store.acquireLease(
                    channel: channel.id,
                    holder: holder,
                    duration: leaseDuration,
                    startingAt: start,
                    since: nil
                )
            })
        else { return false }
        do {
            try await read(lease, succeeded: succeeded)
        } catch {
            try? await inDatabase { try await $0.release([lease]) }
            throw error
        }
        try? await inDatabase { try await $0.release([lease]) }
        return true
    }

    private func inDatabase<Result>(_ body: (any Store) async throws -> Result) async throws -> Result {
        try await context.showingLife(for: Self.longestStatement) { try await body(store) }
    }

    /// Catches up, then polls; returns when the lease is lost or the process drains.
    private func read(_ lease: ChannelLease, succeeded: () -> Void) async throws {
        var lease = lease
        var cursor = lease.contiguousID
        guard try await catchUp(&lease, from: &cursor), try await readEarlierHistory(&lease) else { return }
        succeeded()
        var newest = NewestPage()
        var deletions = DeletionWatch()
        repeat {
            guard try await poll(&lease, from: &cursor, newest: &newest, deletions: &deletions) else { return }
            succeeded()
        } while await context.rest(for: context.pipeline.discord.poll)
    }

    /// Where a channel that was never read begins: at `since`, or behind its newest message. Which that is only Discord
    /// knows: by a clock that is ahead of its, messages would be left out. `nil` when the process drains first.
    private func startingPoint() async throws -> Snowflake? {
        if let since = channel.since { return Snowflake(justBefore: since) }
        context.turn(nil)
        return try await context.untilDrained(showingLifeFor: Self.longestAnswer) { [discord, channel] in
            try await discord.channel(channel.id).lastMessageID ?? Snowflake(0)
        }
    }

    /// What lies before was never asked for.
    private func floor(_ lease: ChannelLease) -> Snowflake {
        lease.backfillUntil ?? channel.since.map { Snowflake(justBefore: $0) } ?? Snowflake(0)
    }

    /// What Discord answers; `nil` when the process drains first, so that a wait for Discord does not hold up the stop.
    private func messages(_ window: MessageWindow) async throws -> [Page.Element]? {
        context.turn(nil)
        return try await context.untilDrained(showingLifeFor: Self.longestAnswer) { [discord, channel] in
            try await discord.messages(in: channel.id, window)
        }
    }

    /// When `since` was moved back after the channel had been read: the messages before what is there already. Begins
    /// anew when it was cut off. False when the lease was lost or the process drains.
    private func readEarlierHistory(_ lease: inout ChannelLease) async throws -> Bool {
        guard let since = channel.since.map({ Snowflake(justBefore: $0) }), let floor = lease.backfillUntil,
            since < floor
        else { return true }
        logger.info("reading earlier history", metadata: ["since": "\(since.timestamp)"])
        var position = since
        while position < floor {
            guard let elements = try await messages(.after(position)),
                try await publish(elements.filter { ($0.messageID ?? floor) <= floor }),
                try await advance(&lease, to: lease.contiguousID)
            else { return false }
            guard let highest = elements.compactMap(\.messageID).max(), highest > position else { break }
            position = highest
        }
        return try await inDatabase { [lease] in try await $0.finishBackfill(lease, until: since) }
    }

    /// Pages forward from the cursor until the channel's end. False when the lease was lost or the process drains.
    ///
    /// - Parameter goal: what is known to come; a page with room left does not tell that nothing follows it.
    private func catchUp(
        _ lease: inout ChannelLease,
        from cursor: inout Snowflake,
        reaching goal: Snowflake? = nil
    ) async throws -> Bool {
        let floor = floor(lease)
        var position = max(floor, cursor.earlier(bySeconds: Self.overlapSeconds))
        while let elements = try await messages(.after(position)) {
            try await noticeBlankPage(elements)
            guard try await publish(elements) else { return false }
            // What comes a second time leads nowhere.
            guard let highest = elements.compactMap(\.messageID).max(), highest > position else { return true }
            cursor = max(cursor, highest)
            position = highest
            guard try await advance(&lease, to: cursor) else { return false }
            if elements.count < Page.maximumMessages, goal.map({ position >= $0 }) ?? true { return true }
        }
        return false
    }

    /// Reads the newest page and publishes what is new or edited in it; pages forward first when the page does not
    /// reach back to the cursor. False when the lease was lost or the process drains.
    private func poll(
        _ lease: inout ChannelLease,
        from cursor: inout Snowflake,
        newest: inout NewestPage,
        deletions: inout DeletionWatch
    ) async throws -> Bool {
        guard let elements = try await messages(.newest) else { return false }
        if newest.isFirst {
            try await explain(elements)
        } else if !elements.isEmpty {
            progress.mark(channel.id, degraded: false)
        }
        let floor = floor(lease)
        let lowest = elements.compactMap(\.messageID).min()
        if let lowest, lowest > cursor {
            guard try await catchUp(&lease, from: &cursor, reaching: lowest) else { return false }
        }
        let changed = elements.filter { newest.isChanged($0) && ($0.messageID ?? cursor) > floor }
        guard try await publish(changed) else { return false }
        newest.remember(elements)
        if channel.onDelete != .keep {
            guard try await publish(deletions: deletions.read(elements).filter { $0 > floor }) else { return false }
        }
        cursor = max(cursor, elements.compactMap(\.messageID).max() ?? cursor)
        return try await advance(&lease, to: cursor)
    }

    /// Tells store of messages that are gone. False when the process drains before that is confirmed; they are then
    /// not told of any more.
    private func publish(deletions ids: [Snowflake]) async throws -> Bool {
        guard let first = ids.first, let last = ids.last else { return true }
        let page = ids.map { DeletePage.Deletion(id: $0, channelID: channel.id, seenAt: .now) }
        let message = OutgoingMessage(
            exchange: context.topology.workExchange,
            routingKey: Topology.store,
            type: WireType.delete,
            messageID: "delete:\(channel.id):\(first)-\(last)",
            headers: context.headers(),
            body: DeletePage.encode(page)
        )
        guard try await publishing.publish([message]) else { return false }
        logger.info("messages were deleted", metadata: ["count": "\(ids.count)"])
        return true
    }

    /// What may be wrong with a channel although Discord answers: without the permission to read its history the list
    /// is simply empty, and a forum has no messages of its own. Marks the channel as degraded and goes on polling.
    private func explain(_ elements: [Page.Element]) async throws {
        progress.mark(channel.id, degraded: false)
        try await noticeBlankPage(elements)
        guard elements.isEmpty,
            let info = try await context.untilDrained(
                showingLifeFor: Self.longestAnswer,
                { [discord, channel] in try await discord.channel(channel.id) }
            )
        else { return }
        if info.holdsOnlyThreads {
            progress.mark(channel.id, degraded: true)
            logger.error("this channel holds threads only, and threads are not read yet")
        } else if info.mayReadHistory == false || info.lastMessageID != nil {
            progress.mark(channel.id, degraded: true)
            logger.error(
                "Discord shows no message of this channel although it has some; give the bot Read Message History there"
            )
        }
    }

    /// False when the database does not know the lease and its cursor as they were left: another fetcher has the channel,
    /// or the database was put back.
    private func advance(_ lease: inout ChannelLease, to cursor: Snowflake) async throws -> Bool {
        let holds = try await inDatabase { [lease] in
            try await $0.advance(lease, to: cursor, renewingFor: leaseDuration)
        }
        if holds {
            lease.contiguousID = max(lease.contiguousID, cursor)
        } else {
            logger.warning("another fetcher took over this channel, or its cursor was put back; asking for it again")
        }
        return holds
    }

    /// Publishes the ingestible messages, oldest first, and returns once all are confirmed; false when the process
    /// drains before that. What is no message goes the same way, so that parse can bury it where an operator sees it.
    private func publish(_ elements: [Page.Element]) async throws -> Bool {
        var payloads: [[UInt8]] = []
        var first: Snowflake?
        var last: Snowflake?
        var ignored = 0
        var outgoing: [OutgoingMessage] = []
        for element in elements.reversed() {
            switch element {
            case .message(let message) where message.payload.count > Page.maximumMessageBytes:
                logger.error("a message is larger than 1 MiB", metadata: ["message_id": "\(message.id)"])
                outgoing.append(
                    context.next(
                        FailedMessage(
                            stage: Topology.parse,
                            type: WireType.page,
                            body: Page.alone(message.payload),
                            messageID: message.id.description,
                            received: nil
                        ),
                        after: Fault(.permanent, "the message is larger than 1 MiB")
                    )
                )
            case .message(let message) where message.isIngestible:
                payloads.append(message.payload)
                first = first ?? message.id
                last = message.id
            case .message: ignored += 1
            case .broken(let error, let payload):
                logger.error("Discord sent something that is no message", metadata: ["error": "\(error)"])
                payloads.append(payload)
            }
        }
        let pages = Page.pack(payloads)
        outgoing += pages.enumerated().map { index, page in
            OutgoingMessage(
                exchange: context.topology.workExchange,
                routingKey: "parse",
                type: WireType.page,
                messageID: "\(channel.id):\(first?.description ?? "")-\(last?.description ?? ""):\(index)",
                headers: context.headers(),
                body: page.bytes
            )
        }
        if !outgoing.isEmpty {
            context.control.hold(progress.hold(outgoing.count))
            defer { context.control.hold(progress.hold(-outgoing.count)) }
            guard try await publishing.publish(outgoing) else { return false }
        }
        progress.add(accepted: payloads.count, ignored: ignored)
        return true
    }

    /// A whole page without any content means that the bot's message content switch is off: say that, not "nothing
    /// matched".
    private func noticeBlankPage(_ elements: [Page.Element]) async throws {
        let messages = elements.compactMap {
            if case .message(let message) = $0, message.isIngestible { message } else { nil }
        }
        guard messages.count >= 5, messages.allSatisfy(\.isBlank) else { return }
        let answer = try? await context.untilDrained(
            showingLifeFor: Self.longestAnswer,
            { [discord] in try await discord.application() }
        )
        guard let application = answer ?? nil, !application.hasMessageContent else { return }
        throw DiscordError(
            .forbidden(0),
            "message content is switched off for this bot: every message of '\(channel.name)' came without "
                + "text; switch on Message Content Intent in the Discord developer portal, under Bot"
        )
    }
}

/// What a channel waits for, so that each wait is logged once.
private struct WaitingNotes {
    enum Reason: Hashable { case lease, database }

    private var noted: Set<Reason> = []

    /// Whether this is the first time.
    mutating func note(_ reason: Reason) -> Bool { noted.insert(reason).inserted }
}
