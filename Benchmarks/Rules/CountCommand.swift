import ArgumentParser
import CBenchmarks
import Model
import Rules

/// The parse core and the wire once each over the sample traffic, with a mark before and after each, for callgrind:
/// `scripts/bench-guard` compares the instructions between the marks with their budgets.
struct CountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "count",
        abstract: "Runs each kernel between two marks and prints their names in order, one JSON object each."
    )

    @Option var pages = 4
    /// How many rules the larger of the two sets has.
    @Option var rules = 200

    func run() throws {
        let records = try SampleTraffic.records()
        let few = try SampleTraffic.rules(10, records)
        let many = try SampleTraffic.rules(rules, records)
        let pages = SampleTraffic.pages(pages)
        let messages = try pages.map { try WireKernels.messages(of: $0) }
        let wire = try WireKernels(pages: pages, records: records, rules: few)
        func parsing(_ rules: RuleSet) -> (Int) -> Int {
            { page in messages[page].reduce(0) { $0 + (rules.parse($1).message.content.isEmpty ? 0 : 1) } }
        }
        let kernels = wire.all + [("parse_10_rules", parsing(few)), ("parse_\(rules)_rules", parsing(many))]
        for kernel in kernels {
            // The first time, patterns are translated to machine code and caches are filled.
            for page in pages.indices { _ = kernel.run(page) }
            bench_mark()
            let done = pages.indices.reduce(0) { $0 + kernel.run($1) }
            bench_mark()
            guard done == wire.messages else { throw FuzzError(description: "\(kernel.name) lost messages") }
            print(#"{"name":"\#(kernel.name)","messages":\#(done)}"#)
        }
    }
}
