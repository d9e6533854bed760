internal import Model

/// A specification in three parts, by what a change of each asks for: `spawn`, a new process; the application, a
/// `reload` message; all the rest is policy, which holds from the moment it is known.
extension ChildSpecification {
    /// What a process is started from and cannot change while it lives.
    struct Spawn: Equatable {
        var command: [String]
        var environment: [String: String]
        var workingDirectory: String?
        var kind: Kind
        var parentDeathSignal: Int32
        var nofile: Int?
        var memory: Int?
        var oomScoreAdj: Int?
    }

    var spawn: Spawn {
        Spawn(
            command: command,
            environment: environment,
            workingDirectory: workingDirectory,
            kind: kind,
            parentDeathSignal: parentDeathSignal,
            nofile: nofile,
            memory: memory,
            oomScoreAdj: oomScoreAdj
        )
    }

    /// This one's process under another's policy.
    func underPolicy(of other: ChildSpecification) -> ChildSpecification {
        var merged = other
        merged.command = command
        merged.environment = environment
        merged.workingDirectory = workingDirectory
        merged.kind = kind
        merged.parentDeathSignal = parentDeathSignal
        merged.nofile = nofile
        merged.memory = memory
        merged.oomScoreAdj = oomScoreAdj
        merged.application = application
        return merged
    }

    /// What a process of this specification needs to come to `target`.
    func distance(to target: ChildSpecification) -> Distance {
        if spawn != target.spawn { return .replace }
        if kind == .job { return application?.fingerprint == target.application?.fingerprint ? .none : .replace }
        return application == target.application ? .none : .reload
    }

    enum Distance: Equatable {
        case none
        /// The process can take it over as it runs.
        case reload
        /// A new process is needed.
        case replace
    }
}
