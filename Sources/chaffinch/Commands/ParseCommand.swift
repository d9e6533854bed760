import ArgumentParser
import Foundation
import Model
import Rules
import Workers

struct ParseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parse",
        abstract: "A filter: Discord messages as JSON lines in, record batches as JSON lines out.",
        discussion: """
            Examples:
              chaffinch parse < messages.jsonl > parsed.jsonl
              chaffinch parse --config other/pipeline.yaml < messages.jsonl | jq 'select(.outcome == "parsed").records'

            Answers line by line in the order of its input. A line that is no message is reported on standard error and
            passed over; the exit code is then 1. Needs no token, broker or database.
            """
    )

    @OptionGroup var options: ConfigOption

    func run() throws {
        let check = try options.check(resolvingSecrets: false)
        guard let rules = check.compilation?.rules else {
            throw CommandFailure(ExitCode.configuration, "\(options.config) names no parsers")
        }
        var broken = 0
        var number = 0
        while let line = readLine(strippingNewline: true) {
            number += 1
            if line.allSatisfy(\.isWhitespace) { continue }
            do {
                let message = try Message(JSONDocument(line).root)
                var writer = JSONWriter(reserving: message.payload.count + 512)
                RecordBatch.write(rules.parse(message), to: &writer)
                Terminal.output(writer.bytes + [UInt8(ascii: "\n")])
            } catch {
                broken += 1
                Terminal.error("standard input:\(number): \(error)")
            }
        }
        if broken > 0 { throw CommandFailure(ExitCode.failed, "\(broken) of \(number) lines were no messages") }
    }
}
