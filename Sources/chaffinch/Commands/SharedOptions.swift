import ArgumentParser
import Foundation
import PipelineFile
import Workers

/// Options that several commands take.
struct ConfigOption: ParsableArguments {
    @Option(name: [.customShort("c"), .long], help: ArgumentHelp("The pipeline file.", valueName: "file"))
    var config = "pipeline.yaml"

    /// Checks the files for a command that needs them whole, and says what is wrong with them.
    ///
    /// - Throws: ``CommandFailure`` with exit code 78.
    func check(
        resolvingSecrets: Bool,
        needed: Set<SecretKey> = SecretKey.all,
        runningExamples: Bool = false
    ) throws -> PipelineCheck {
        let check = PipelineCheck(
            path: config,
            environment: ProcessInfo.processInfo.environment,
            resolvingSecrets: resolvingSecrets,
            needed: needed,
            runningExamples: runningExamples
        )
        guard !check.hasErrors else {
            Terminal.error(check.rendered(colour: Terminal.errorHasColour))
            throw CommandFailure(ExitCode.configuration)
        }
        return check
    }

    /// - Throws: ``CommandFailure`` with exit code 78 for a file of commands alone, which has no broker and no database.
    func requirePipeline(_ pipeline: Pipeline) throws {
        guard pipeline.hasPipeline else {
            throw CommandFailure(ExitCode.configuration, "\(config) has no pipeline, only commands")
        }
    }
}

typealias ExitCode = Workers.ExitCode
