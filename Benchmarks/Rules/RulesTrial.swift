import ArgumentParser

@main
struct RulesTrial: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules-trial",
        abstract: "Benchmark and fuzz runs of the rules; scripts/bench-rules and scripts/fuzz start it.",
        subcommands: [BenchCommand.self, FuzzCommand.self]
    )
}
