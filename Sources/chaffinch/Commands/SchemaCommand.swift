import ArgumentParser
import PipelineFile
import Rules

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Prints a JSON Schema, so that editors complete and check the files.",
        discussion: """
            Examples:
              chaffinch schema pipeline > schema/pipeline.schema.json
              chaffinch schema parser > schema/parser.schema.json

            Name it in the first line of the file, by the way from there:
              # yaml-language-server: $schema=schema/pipeline.schema.json
              # yaml-language-server: $schema=../schema/parser.schema.json
            """
    )

    enum Subject: String, ExpressibleByArgument, CaseIterable { case pipeline, parser }

    @Argument(help: "What to describe: pipeline, or parser for rule files.")
    var subject: Subject

    func run() {
        switch subject {
        case .pipeline: Terminal.output(PipelineSchema.json())
        case .parser: Terminal.output(RuleSchema.json())
        }
    }
}
