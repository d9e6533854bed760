import Foundation
import Glibc
import Logging
import Model
import PipelineFile
import Rules

/// Leaves a ``RuleReport`` every few seconds while something happens, and says in the log what is worth a look.
struct RuleReporter {
    private let context: WorkerContext
    private let replica: Int
    private var written: ContinuousClock.Instant?
    private var last: (generation: Int, messages: Int) = (-1, 0)
    /// The difference of a shadow that the log told last, and when, by the rule's id.
    private var told: [String: (difference: ShadowDifference, at: ContinuousClock.Instant)] = [:]
    private var named: Set<String> = []
    private var cannotWrite = false

    private static let interval: Duration = .seconds(2)
    /// Between two lines about one shadow.
    private static let quiet: Duration = .seconds(30)

    init(_ context: WorkerContext) {
        self.context = context
        replica = context.name.split(separator: "/").last.flatMap { Int($0) } ?? 1
    }

    /// Called by the work loop each time round.
    mutating func report(_ rules: RuleSet, isLast: Bool = false) {
        let state = (rules.generation, rules.messages)
        guard state != last else { return }
        let now = ContinuousClock.now
        guard isLast || rules.generation != last.generation || written.map({ now - $0 >= Self.interval }) ?? true else {
            return
        }
        if rules.generation != last.generation { (told, named) = ([:], []) }
        last = state
        written = now
        let counts = rules.counts
        tell(counts)
        write(
            RuleReport(
                replica: replica,
                pid: getpid(),
                generation: rules.generation,
                writtenAt: .now,
                messages: rules.messages,
                cutShort: rules.cutShort,
                oversized: rules.oversized,
                counts: counts
            )
        )
    }

    private mutating func write(_ report: RuleReport) {
        do {
            try report.write(dataFolder: context.pipeline.dataFolder)
            cannotWrite = false
        } catch {
            if !cannotWrite {
                context.logger.warning("the report on rules cannot be written", metadata: ["error": "\(error)"])
            }
            cannotWrite = true
        }
    }

    private mutating func tell(_ counts: [String: ParserCounts]) {
        for (id, count) in counts.sorted(by: { $0.key < $1.key }) {
            if count.limitHits > 0, named.insert(id).inserted {
                let steps = count.limits.keys.sorted().joined(separator: ", ")
                context.logger.warning(
                    "a rule ran into the step limit and gave up on a message",
                    metadata: ["rule": "\(id)", "steps": "\(steps)"]
                )
            }
            if let shadow = count.shadow { tell(id, shadow) }
        }
    }

    /// The newest difference, and not too often: `chaffinch rules` shows more of them.
    private mutating func tell(_ id: String, _ shadow: ShadowCounts) {
        let now = ContinuousClock.now
        guard let difference = shadow.differences.last, told[id]?.difference != difference,
            told[id].map({ now - $0.at >= Self.quiet }) ?? true
        else { return }
        told[id] = (difference, now)
        context.logger.info(
            "a rule in shadow reads a message differently",
            metadata: [
                "rule": "\(id)", "message_id": "\(difference.messageID)", "channel_id": "\(difference.channelID)",
                "live_rule": "\(difference.liveParser ?? "none")", "live": "\(Self.short(difference.live))",
                "shadow": "\(Self.short(difference.shadow))", "same": "\(shadow.same)",
                "different": "\(shadow.different)", "only_shadow": "\(shadow.onlyShadow)",
                "only_live": "\(shadow.onlyLive)",
            ]
        )
    }

    private static func short(_ lines: [String]) -> String {
        let text = lines.map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; ")
        return text.isEmpty ? "no record" : text.count > 400 ? text.prefix(399) + "…" : text
    }
}
