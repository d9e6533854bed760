import ArgumentParser
import BenchmarkKernels
import Foundation
import PipelineFile

/// The made-up rules as files, for a pipeline with many of them.
struct WriteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Writes made-up rule files into a folder."
    )

    @Option var rules = 100
    @Option var folder: String

    func run() throws {
        for desk in DeskRules.make(rules) {
            try desk.file.text.write(toFile: "\(folder)/\(desk.file.name)", atomically: false, encoding: .utf8)
        }
    }
}
