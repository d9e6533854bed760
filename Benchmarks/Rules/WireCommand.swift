import ArgumentParser
import BenchmarkKernels
import Foundation
import Model

/// Messages a second through decoding and encoding, each alone, beside simdjson alone over the same bytes.
struct WireCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wire",
        abstract: "Measures page decoding and record batches and prints one JSON object."
    )

    /// A file of pages, one a line; without it the sample traffic.
    @Option var pages: String?
    @Option var runs = 3
    /// Of processor time for each measurement.
    @Option var seconds = 0.5
    /// So many pages are gone through again and again: they should not fit the processor's cache as a whole.
    @Option var limit = 200

    func run() throws {
        let records = try SampleTraffic.records()
        let kernels = try WireKernels(
            pages: try pages.map(read) ?? SampleTraffic.pages(limit),
            records: records,
            rules: SampleTraffic.rules(10, records)
        )
        var rates: [String: [Int]] = [:]
        // In turn, so that all see the same neighbours.
        for _ in 0..<runs {
            for kernel in kernels.all {
                guard kernel.run(0) > 0 else { throw KernelError("\(kernel.name) fails on the first page") }
                rates[kernel.name, default: []].append(rate(kernels.pages.count, kernel.run))
            }
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("bytes_per_message")
            writer.value(kernels.pages.reduce(0) { $0 + $1.count } / kernels.messages)
            for kernel in kernels.all {
                writer.key(kernel.name)
                writer.array { writer in
                    for rate in rates[kernel.name] ?? [] { writer.value(rate) }
                }
            }
        }
        print(writer.text)
    }

    private func read(_ path: String) throws -> [[UInt8]] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").prefix(limit).map { Array($0.utf8) }
    }

    private func rate(_ pages: Int, _ run: (Int) -> Int) -> Int {
        let start = processorNanoseconds()
        var done = 0
        var page = 0
        var spent: UInt64 = 0
        repeat {
            done += run(page % pages)
            page += 1
            spent = processorNanoseconds() - start
        } while Double(spent) < seconds * 1e9
        return Int(Double(done) * 1e9 / Double(spent))
    }
}
