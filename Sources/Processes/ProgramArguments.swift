internal import CProcess

/// What this program was started with.
package enum ProgramArguments {
    /// Without the program's own name, which comes first on every command line.
    ///
    /// `CommandLine.arguments` is empty where a preloaded library moved the environment, or where there is no `/proc`.
    package static var all: [String] {
        guard var next = cf_arguments(), next.pointee != nil else { return [] }
        var arguments: [String] = []
        while true {
            next += 1
            guard let argument = next.pointee else { return arguments }
            arguments.append(String(cString: argument))
        }
    }
}
