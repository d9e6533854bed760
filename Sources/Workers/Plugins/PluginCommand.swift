package import PipelineFile

/// What is to be run as a plugin, complete.
package struct PluginCommand: Sendable, Equatable {
    /// The program and its arguments.
    package var words: [String]
    package var environment: [String: String]
    package var workingDirectory: String
    package var nofile: Int?
    /// Bytes of private writable memory.
    package var memory: Int?
    package var oomScoreAdj: Int?

    /// How the host's environment holds each variable that is meant for the plugin: it is no variable of the host's.
    package static let variablePrefix = "CHAFFINCH_PLUGIN_ENV_"

    package init(words: [String], environment: [String: String], workingDirectory: String) {
        self.words = words
        self.environment = environment
        self.workingDirectory = workingDirectory
    }

    /// - Parameter hostEnvironment: of the host, as ``hostVariables(for:)`` has it.
    package init?(_ worker: Worker, of pipeline: Pipeline, hostEnvironment: [String: String]) {
        guard let command = worker.command else { return nil }
        words = command
        environment = hostEnvironment.reduce(into: [:]) { environment, variable in
            guard variable.key.hasPrefix(Self.variablePrefix) else { return }
            environment[String(variable.key.dropFirst(Self.variablePrefix.count))] = variable.value
        }
        workingDirectory = worker.cwd ?? pipeline.folder
        nofile = worker.limits?.nofile
        memory = worker.limits?.memory
        oomScoreAdj = worker.limits?.oomScoreAdj
    }

    /// What stands in the host's environment for a plugin that is to have `environment`.
    package static func hostVariables(for environment: [String: String]) -> [String: String] {
        environment.reduce(into: [:]) { $0[variablePrefix + $1.key] = $1.value }
    }
}
