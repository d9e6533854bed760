import ArgumentParser
import PipelineFile

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Prints a JSON Schema, so that editors complete and check the files.",
        discussion: """
            Examples:
              chaffinch schema pipeline > schema/pipeline.schema.json

            Name it in the first line of the file:
              # yaml-language-server: $schema=schema/pipeline.schema.json
            """
    )

    enum Subject: String, ExpressibleByArgument, CaseIterable { case pipeline }

    @Argument(help: "What to describe: pipeline.")
    var subject: Subject

    func run() {
        switch subject {
        case .pipeline: Terminal.output(PipelineSchema.json())
        }
    }
}
