import ArgumentParser

@main
struct RulesTrial: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules-trial",
        abstract: "Benchmark and fuzz runs of the rules and of the wire; scripts/bench, bench-guard and fuzz start it.",
        subcommands: [
            BenchCommand.self, WireCommand.self, CountCommand.self, WriteCommand.self, FuzzCommand.self,
        ]
    )
}
