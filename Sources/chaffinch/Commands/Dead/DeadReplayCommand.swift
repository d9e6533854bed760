import ArgumentParser
import Foundation
import Messaging
import Model
import PipelineFile
import Storage
import Workers

struct DeadReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Publishes dead letters again, each to the stage it died in.",
        discussion: """
            Examples:
              chaffinch dead replay parse/1315807571357208688
              chaffinch dead replay --group 5f0c2ad1e94b7a30 --rate 100
              chaffinch dead replay --all --dry-run
              chaffinch dead replay --stage plugin.score --to parse      their plugin was taken out

            Which letters it will be is settled at the start: what dies during the replay is not replayed by it. Killed
            half-way, it is taken up by the next replay of the same letters; nothing comes twice into the tables.

            Letters of a stage on which nobody works any more (a plugin that was taken out, a last resort that is off) stay
            dead, and the exit code is 1. With '--to parse' their messages are read by the rules anew and go on from there.
            """
    )

    @OptionGroup var options: ConfigOption
    @OptionGroup var targets: DeadTargets

    @Option(help: ArgumentHelp("Letters a second at most.", valueName: "count"))
    var rate: Int?

    @Option(help: ArgumentHelp("Publish to this stage instead of the one they died in: parse.", valueName: "stage"))
    var to: String?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    func validate() throws {
        if let to, to != Topology.parse { throw ValidationError("--to can only be parse") }
        if let rate, rate < 1 { throw ValidationError("--rate must be at least 1") }
    }

    func run() throws {
        let filter = try targets.selection.filter([.dead, .replaying])
        let (dryRun, rate, toParse) = (targets.dryRun, rate, to != nil)
        let named = NamedLetters(targets.selection)
        let site = try Site(options, needing: dryRun ? [.storeURL] : [.storeURL, .brokerURL])
        let progress = WorkProgress()
        let report: DeadLetterReplay.Report? = try site.withStore(for: "dead") { store in
            try await named.require(in: store)
            let ids = try await store.deadLetterIDs(filter)
            if dryRun {
                for id in ids { Terminal.output(id) }
                Terminal.error("\(counted(ids.count, "letter")) would be replayed")
                return nil
            }
            guard !ids.isEmpty else { return DeadLetterReplay.Report() }
            let publisher = try await site.publisher(for: "dead replay")
            let replay = DeadLetterReplay(
                store: store,
                publisher: publisher,
                topology: site.topology,
                pipeline: site.pipeline.name,
                stages: try await site.stagesAtWork(),
                toParse: toParse,
                startedAt: .now
            )
            let report = try await replay.run(
                ids,
                rate: rate,
                progress: { progress.show("\(grouped($0.done)) of \(counted(ids.count, "letter"))") },
                waiting: { progress.note("a queue is full; waiting for room") }
            )
            await publisher.close()
            return report
        }
        progress.finish()
        guard let report else { return }
        Terminal.output(json ? report.json : report.text)
        if report.left > 0 { throw CommandFailure(ExitCode.failed) }
    }
}

extension DeadLetterReplay.Report {
    fileprivate var text: String {
        var text = "\(counted(replayed, "letter")) replayed"
        if takenUp > 0 { text += ", \(grouped(takenUp)) of them left half-way by an earlier replay" }
        if gone > 0 { text += "; \(grouped(gone)) settled by somebody else meanwhile" }
        for (stage, count) in homeless.sorted(by: { $0.key < $1.key }) {
            text += "\n\(counted(count, "letter")) of stage '\(stage)' stay dead: nobody works on it any more; "
            text += "to have the rules read them anew: chaffinch dead replay --stage \(stage) --to parse"
        }
        if unreadable > 0 { text += "\n\(counted(unreadable, "letter")) stay dead: their payload cannot be read" }
        return text
    }

    fileprivate var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.numbers(
                [
                    ("replayed", replayed), ("taken_up", takenUp), ("gone", gone),
                    ("homeless", homeless.values.reduce(0, +)), ("unreadable", unreadable),
                ]
            )
        }
        return writer.text
    }
}

struct DeadDiscardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Sets dead letters aside for good, with a reason.",
        discussion: """
            Examples:
              chaffinch dead discard parse/1315807571357208688 --reason "not a message of ours"
              chaffinch dead discard --group 5f0c2ad1e94b7a30 --reason "sent before the fix" --dry-run

            They stay in the table with the reason, count as dead in the books, and are not replayed any more.
            """
    )

    @OptionGroup var options: ConfigOption
    @OptionGroup var targets: DeadTargets

    @Option(help: "Why; shown by 'chaffinch dead show'.")
    var reason: String

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    func validate() throws {
        if reason.allSatisfy(\.isWhitespace) { throw ValidationError("--reason must say something") }
    }

    func run() throws {
        let filter = try targets.selection.filter([.dead])
        let (dryRun, reason) = (targets.dryRun, reason)
        let named = NamedLetters(targets.selection)
        let site = try Site(options, needing: [.storeURL])
        let discarded: Int? = try site.withStore(for: "dead") { store in
            try await named.require(in: store)
            let ids = try await store.deadLetterIDs(filter)
            if dryRun {
                for id in ids { Terminal.output(id) }
                Terminal.error("\(counted(ids.count, "letter")) would be discarded")
                return nil
            }
            return try await store.discardDeadLetters(ids, reason: reason)
        }
        guard let discarded else { return }
        Terminal.output(json ? #"{"discarded":\#(discarded)}"# : "\(counted(discarded, "letter")) discarded")
    }
}
