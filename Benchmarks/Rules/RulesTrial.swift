import ArgumentParser

@main
struct RulesTrial: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules-trial",
        abstract: "Benchmark and fuzz runs of the rules and of the wire; scripts/bench and scripts/fuzz start it.",
        subcommands: [BenchCommand.self, WireCommand.self, WriteCommand.self, FuzzCommand.self]
    )
}
