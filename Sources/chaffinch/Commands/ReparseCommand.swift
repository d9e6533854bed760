import ArgumentParser
import Foundation
import Model
import PipelineFile
import Rules
import Storage
import Workers

struct ReparseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reparse",
        abstract: "Runs stored messages through today's rules and replaces the records that come out differently.",
        discussion: """
            Examples:
              chaffinch reparse --dry-run                       what would change, message by message
              chaffinch reparse --channel vip-signals --since 2026-01-01
              chaffinch reparse --parser gold-desk --since 30d

            The rules are those of the last accepted generation, which the workers run. It works beside the running
            pipeline and goes backwards nowhere: a message that is edited meanwhile keeps its newer records. Killed, it
            goes on where it was when it is started again with the same options.

            Exits 1 when some message could not be read or written.
            """
    )

    @OptionGroup var options: ConfigOption

    @Option(
        help: ArgumentHelp("Only messages of this channel, by name or id; may be given again.", valueName: "channel")
    )
    var channel: [String] = []

    @Option(help: ArgumentHelp("Only messages sent then or later: \(Moment.help).", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Only messages whose records this parser made, or makes now.", valueName: "name"))
    var parser: String?

    @Flag(help: "Change nothing; show what would change.")
    var dryRun = false

    @Flag(help: "Print JSON: with --dry-run an object a line for each change, and one at the end.")
    var json = false

    func run() throws {
        let since = try since.map { text in
            guard let moment = Moment(argument: text) else {
                throw CommandFailure(ExitCode.usage, "--since must be \(Moment.help)")
            }
            return moment.instant
        }
        let site = try Site(options, needing: [.storeURL])
        let channels = try channel.map { try Self.channel($0, of: site.pipeline) }
        let rules = try CurrentRules(options, site)
        if let note = rules.note { Terminal.error(note) }
        if let parser, !rules.parserNames.contains(parser) {
            throw CommandFailure(
                ExitCode.usage,
                "there is no parser '\(parser)'; there are \(rules.parserNames.sorted().joined(separator: ", "))"
            )
        }
        let run = ReparseRun(
            site: site,
            rules: rules,
            channels: channels,
            parser: parser,
            since: since,
            key: ([since == nil ? "" : self.since ?? "", parser ?? ""] + channel.sorted()).joined(separator: "\u{0}"),
            dryRun: dryRun,
            json: json
        )
        let report = try run.run()
        Terminal.output(json ? report.json : report.text(dryRun: dryRun))
        if site.pipeline.store.messages == .parsed {
            Terminal.error(
                "store.messages is 'parsed': messages that no rule took are not stored, so today's rules cannot reach "
                    + "them; to read them anew, import them"
            )
        }
        if report.failed > 0 { throw CommandFailure(ExitCode.failed) }
    }

    private static func channel(_ text: String, of pipeline: Pipeline) throws -> Snowflake {
        if let known = pipeline.channels.first(where: { $0.name == text }) { return known.id }
        guard let id = Snowflake(text) else {
            let names = pipeline.channels.map(\.name).joined(separator: ", ")
            throw CommandFailure(ExitCode.usage, "there is no channel '\(text)'; there are \(names)")
        }
        return id
    }
}

/// The rules that the workers run: those of the last accepted generation, or of the files where none was accepted yet.
struct CurrentRules: Sendable {
    private let pipeline: Pipeline
    private let files: [SourceFile]
    /// `nil` where none was accepted yet.
    let generation: Int?
    /// What the files on disk would say differently.
    let note: String?
    let parserNames: Set<String>

    init(_ options: ConfigOption, _ site: Site) throws {
        let check = PipelineCheck(
            path: options.config,
            environment: ProcessInfo.processInfo.environment,
            resolvingSecrets: false,
            runningExamples: false
        )
        let accepted: Generation?
        do {
            accepted = try GenerationStore(dataFolder: site.pipeline.dataFolder).latest()
        } catch {
            throw CommandFailure(ExitCode.configuration, "\(error)")
        }
        generation = accepted?.number
        if let accepted {
            pipeline = accepted.pipeline
            files = accepted.rules
            note =
                check.ruleFiles == accepted.rules
                ? nil : "the rule files differ from generation \(accepted.number), which is used: it was accepted last"
        } else {
            guard !check.hasErrors, let pipeline = check.pipeline else {
                Terminal.error(check.rendered(colour: Terminal.errorHasColour))
                throw CommandFailure(ExitCode.configuration)
            }
            self.pipeline = pipeline
            files = check.ruleFiles
            note = nil
        }
        guard let rules = Self.compile(files, pipeline) else {
            throw CommandFailure(ExitCode.configuration, "the accepted rules do not compile with this version")
        }
        parserNames = Set(rules.parsers.map(\.id))
    }

    /// One for each task: a set of rules owns the memory its matches are written to.
    func compiled() throws -> RuleSet {
        guard let rules = Self.compile(files, pipeline) else {
            throw CommandFailure(ExitCode.configuration, "the accepted rules do not compile with this version")
        }
        return rules
    }

    private static func compile(_ files: [SourceFile], _ pipeline: Pipeline) -> RuleSet? {
        RuleCompiler.compile(
            files,
            records: pipeline.records,
            channels: pipeline.channelNames,
            runningExamples: false
        ).rules
    }
}
