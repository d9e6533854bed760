import ArgumentParser
import Foundation
import Model
import PipelineFile
import Storage
import Workers

struct DeadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Shows the dead letters, replays or discards them.",
        discussion: """
            A dead letter is a message that retries did not save, with the error and the payload. Nothing expires by
            itself: look at a group, mend the cause, then replay it.

              chaffinch dead group                               what died, by cause
              chaffinch dead show parse/1315807571357208688      one letter, whole
              chaffinch dead replay --group 5f0c2ad1e94b7a30     try them again
              chaffinch dead discard --group 5f0c2ad1e94b7a30 --reason "spam"
            """,
        subcommands: [
            DeadListCommand.self, DeadGroupCommand.self, DeadShowCommand.self, DeadReplayCommand.self,
            DeadDiscardCommand.self,
        ]
    )
}

/// Which letters a command means.
struct DeadSelection: ParsableArguments {
    @Argument(help: ArgumentHelp("Letters by their id, as 'list' shows it.", valueName: "id"))
    var ids: [String] = []

    @Option(
        help: ArgumentHelp("Letters of one cause, by the fingerprint that 'group' shows.", valueName: "fingerprint")
    )
    var group: String?

    @Option(help: ArgumentHelp("Letters that died in this stage: parse, store, ….", valueName: "stage"))
    var stage: String?

    @Option(help: ArgumentHelp("Letters with this Discord message inside.", valueName: "id"))
    var message: String?

    @Option(help: ArgumentHelp("Letters that died then or later: \(Moment.help).", valueName: "time"))
    var since: Moment?

    @Option(help: ArgumentHelp("Letters that died before.", valueName: "time"))
    var until: Moment?

    var isEmpty: Bool {
        ids.isEmpty && group == nil && stage == nil && message == nil && since == nil && until == nil
    }

    /// - Throws: ``CommandFailure`` with exit code 64.
    func filter(_ states: [DeadLetterState]) throws -> DeadLetterFilter {
        var filter = DeadLetterFilter(
            ids: ids,
            states: states,
            stage: stage,
            fingerprint: group,
            since: since?.instant,
            until: until?.instant
        )
        if let message {
            guard let id = Snowflake(message) else { throw CommandFailure(ExitCode.usage, "'\(message)' is no id") }
            filter.message = id
        }
        return filter
    }
}

/// What commands that change something take: a selection, or all of them said expressly.
struct DeadTargets: ParsableArguments {
    @OptionGroup var selection: DeadSelection

    @Flag(help: "Every letter that is dead.")
    var all = false

    @Flag(help: "Only say which letters it would be.")
    var dryRun = false

    func validate() throws {
        if selection.isEmpty != all {
            throw ValidationError(
                all ? "--all goes with no other selection" : "say which letters: ids, --group, --stage, …, or --all"
            )
        }
    }
}

/// What an operator may have mistyped: that nothing was done to it must not look like success.
struct NamedLetters: Sendable {
    private let ids: [String]
    private let group: String?

    init(_ selection: DeadSelection) {
        ids = selection.ids
        group = selection.group
    }

    /// - Throws: ``CommandFailure`` with exit code 1 for an id that no letter ever had, and a group that no letter is in.
    func require(in store: any Store) async throws {
        let known = try await store.deadLetters(DeadLetterFilter(ids: ids), limit: ids.count).map(\.id)
        if let unknown = ids.first(where: { !known.contains($0) }) {
            throw CommandFailure(
                ExitCode.failed,
                "there is no dead letter '\(unknown)'; 'chaffinch dead list' shows them"
            )
        }
        guard let group else { return }
        guard try await store.deadLetters(DeadLetterFilter(fingerprint: group), limit: 1).isEmpty else { return }
        throw CommandFailure(ExitCode.failed, "there is no group '\(group)'; 'chaffinch dead group' shows them")
    }
}

struct DeadListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists dead letters, the latest first.",
        discussion: """
            Examples:
              chaffinch dead list
              chaffinch dead list --stage store --since 2h
              chaffinch dead list --state replayed --limit 10
              chaffinch dead list --json | jq -r .error_text        one JSON object a line
            """
    )

    @OptionGroup var options: ConfigOption
    @OptionGroup var selection: DeadSelection

    @Option(help: "dead, replaying, replayed, discarded or all; by default what waits for somebody.")
    var state: String?

    @Option(help: "How many at most.")
    var limit = 50

    @Flag(help: "Print one JSON object a line instead of a table.")
    var json = false

    func run() throws {
        let filter = try selection.filter(try states())
        let limit = limit
        let letters = try Site(options, needing: [.storeURL]).withStore(for: "dead") { store in
            try await store.deadLetters(filter, limit: limit)
        }
        if json {
            for letter in letters { Terminal.output(letter.json) }
            return
        }
        var table = TextColumns(header: ["ID", "STATE", "LAST", "ATTEMPTS", "ERROR"])
        table.rows = letters.map {
            [$0.id, $0.state, $0.lastAt.toTheSecond, String($0.attempts), "\($0.errorClass): \($0.errorText)"]
        }
        if letters.isEmpty { Terminal.output("no dead letters") } else { table.show() }
        if letters.count == limit { Terminal.error("more may follow; see --limit") }
    }

    private func states() throws -> [DeadLetterState] {
        guard let state else { return selection.ids.isEmpty ? [.dead, .replaying] : [] }
        if state == "all" { return [] }
        guard let known = DeadLetterState(rawValue: state) else {
            throw CommandFailure(
                ExitCode.usage,
                "'\(state)' is no state; there are dead, replaying, replayed, discarded, all"
            )
        }
        return [known]
    }
}

struct DeadGroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "Counts the dead letters by cause, the most frequent first.",
        discussion: """
            Errors whose texts differ only in digits and quoted values have the same fingerprint.

            Examples:
              chaffinch dead group
              chaffinch dead group --since 7d --json
            """
    )

    @OptionGroup var options: ConfigOption
    @OptionGroup var selection: DeadSelection

    @Flag(help: "Print one JSON object a line instead of a table.")
    var json = false

    func run() throws {
        let filter = try selection.filter([.dead, .replaying])
        let groups = try Site(options, needing: [.storeURL]).withStore(for: "dead") { store in
            try await store.deadLetterGroups(filter)
        }
        if json {
            for group in groups { Terminal.output(group.json) }
            return
        }
        var table = TextColumns(header: ["GROUP", "COUNT", "STAGE", "FIRST", "LAST", "EXAMPLE", "ERROR"])
        table.rows = groups.map {
            [
                $0.fingerprint, String($0.count), $0.stage, $0.firstAt.toTheSecond, $0.lastAt.toTheSecond, $0.exampleID,
                "\($0.errorClass): \($0.errorText)",
            ]
        }
        if groups.isEmpty { Terminal.output("no dead letters") } else { table.show() }
    }
}
