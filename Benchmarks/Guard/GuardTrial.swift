import BenchmarkKernels
import CBenchmarks
import Model
import Rules

/// The parse core and the wire once each over the sample traffic, with a mark before and after each, for callgrind:
/// `scripts/bench-guard` compares the instructions between the marks with their budgets. Prints a JSON object for each, in
/// order. A program of its own, and a small one, so that it is soon built.
@main
struct GuardTrial {
    private static let pages = SampleTraffic.pages(4)
    private static let many = 200

    static func main() throws {
        let records = try SampleTraffic.records()
        let few = try SampleTraffic.rules(10, records)
        let wire = try WireKernels(pages: pages, records: records, rules: few)
        let kernels =
            try wire.all + [
                ("parse_10_rules", parsing(few)), ("parse_\(many)_rules", parsing(SampleTraffic.rules(many, records))),
            ]
        for kernel in kernels {
            // The first time, patterns are translated to machine code and caches are filled.
            for page in pages.indices { _ = kernel.run(page) }
            bench_mark()
            let done = pages.indices.reduce(0) { $0 + kernel.run($1) }
            bench_mark()
            guard done == wire.messages else { throw KernelError("\(kernel.name) lost messages") }
            print(#"{"name":"\#(kernel.name)","messages":\#(done)}"#)
        }
    }

    private static func parsing(_ rules: RuleSet) throws -> (Int) -> Int {
        let messages = try pages.map { try WireKernels.messages(of: $0) }
        return { page in messages[page].reduce(0) { $0 + (rules.parse($1).message.content.isEmpty ? 0 : 1) } }
    }
}
