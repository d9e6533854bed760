import ArgumentParser
import Foundation
import Model
import PipelineFile
import Rules
import Workers

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Shows which rules were tried on a text and where each one stopped.",
        discussion: """
            Examples:
              chaffinch explain '$BTC long, entry 68000, SL 67000'
              chaffinch explain --channel vip-signals - < message.txt

            Files of the last resort come last, with what asking would cost; nobody is asked. Needs no token, broker or
            database.
            """
    )

    @OptionGroup var options: ConfigOption

    @Option(help: ArgumentHelp("The channel the text stands in; by default the first one.", valueName: "name"))
    var channel: String?

    @Argument(help: "The text of a message, or - for standard input.")
    var text: String

    func run() throws {
        let check = try options.check(resolvingSecrets: false)
        guard let rules = check.compilation?.rules, let pipeline = check.pipeline else {
            throw CommandFailure(ExitCode.configuration, "\(options.config) names no parsers")
        }
        var channelID = pipeline.channels.first?.id ?? Snowflake(1)
        if let channel {
            guard let found = pipeline.channels.first(where: { $0.name == channel || $0.id.description == channel })
            else {
                let names = pipeline.channels.map(\.name).joined(separator: ", ")
                throw CommandFailure(ExitCode.usage, "there is no channel '\(channel)'; there are \(names)")
            }
            channelID = found.id
        }
        let content =
            text == "-" ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) : text
        let message = try Self.message(content, in: channelID)
        let explanation = rules.explain(message)
        let lastResort = rules.lastResort.explain(message)
        if !explanation.parsers.isEmpty || lastResort.isEmpty {
            Terminal.output(explanation.rendered(colour: Terminal.outputHasColour))
        }
        guard !lastResort.isEmpty else { return }
        let cost = LastResortCost(pipeline: pipeline, hasKey: options.hasOpenAIKey(check), winner: explanation.winner)
        for one in lastResort { Terminal.output(cost.told(of: one)) }
    }

    /// A message as Discord would send it, around a text.
    private static func message(_ content: String, in channel: Snowflake) throws -> Message {
        var writer = JSONWriter()
        writer.object { writer in
            for (key, value) in [
                ("id", "1"), ("channel_id", channel.description), ("timestamp", Timestamp.now.iso8601),
                ("content", content),
            ] {
                writer.key(key)
                writer.value(value)
            }
            writer.key("type")
            writer.value(0)
        }
        return try Message(JSONDocument(writer.bytes).root)
    }
}
