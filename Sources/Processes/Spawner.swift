internal import CProcess
internal import Glibc

/// What is to be run, with the descriptors it gets.
package struct SpawnRequest {
    /// A program without a slash is looked up along the `PATH` in ``environment``.
    package var command: [String]
    /// Complete: nothing is inherited.
    package var environment: [String: String]
    package var workingDirectory: String?
    /// Descriptors 0 to 3; absent: `/dev/null`, and no descriptor 3.
    package var input: Descriptor?
    package var output: Descriptor?
    package var error: Descriptor?
    package var control: Descriptor?
    /// Sent by the kernel when the thread that forked ends; 0 for none.
    package var parentDeathSignal: Int32
    package var nofile: Int?
    /// Bytes of private writable memory.
    package var memory: Int?
    package var oomScoreAdj: Int?

    package init(
        command: [String],
        environment: [String: String],
        workingDirectory: String? = nil,
        input: Descriptor? = nil,
        output: Descriptor? = nil,
        error: Descriptor? = nil,
        control: Descriptor? = nil,
        parentDeathSignal: Int32,
        nofile: Int? = nil,
        memory: Int? = nil,
        oomScoreAdj: Int? = nil
    ) {
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.input = input
        self.output = output
        self.error = error
        self.control = control
        self.parentDeathSignal = parentDeathSignal
        self.nofile = nofile
        self.memory = memory
        self.oomScoreAdj = oomScoreAdj
    }
}

/// A process that was started, leader of a group of its own, and a handle to it that no later process of the same
/// number can answer to.
package struct SpawnedProcess: Sendable {
    package let pid: Int32
    /// Readable once the process has ended; `nil` where the kernel has no such handles.
    package let handle: Descriptor?

    /// Signals the process itself and never a later one of its number.
    ///
    /// - Returns: false where that cannot be done.
    package func signalLeader(_ signal: Int32) -> Bool {
        guard let handle else { return false }
        return cf_pidfd_signal(handle.number, signal) == 0
    }
}

/// A program that could not be run.
package struct SpawnFailure: Error {
    /// 127 when the program is missing, 126 otherwise, as shells have it.
    package var code: Int32
    package var reason: String

    package init(code: Int32, reason: String) {
        self.code = code
        self.reason = reason
    }
}

package enum Spawner {
    /// Allows this process as many descriptors as the system does, for whoever has many children; they start with as
    /// many as it was found with.
    package static func raiseOpenFiles() { cf_raise_open_files() }

    /// Forks and executes, on the calling thread: it must live as long as the children, since their parent-death
    /// signal fires when it ends.
    package static func spawn(_ request: SpawnRequest) throws(SpawnFailure) -> SpawnedProcess {
        var spawned = cf_spawned()
        let programs = candidates(request.command[0], path: request.environment["PATH"])
        let variables = request.environment.map { "\($0.key)=\($0.value)" }.sorted()
        let result = withCStrings(programs) { programs in
            withCStrings(request.command) { arguments in
                withCStrings(variables) { environment in
                    withCString(request.workingDirectory) { folder in
                        programs.withMemoryRebound(to: UnsafePointer<CChar>?.self, capacity: 1) { programs in
                            var raw = cf_spawn_request()
                            raw.programs = UnsafePointer(programs)
                            raw.arguments = UnsafePointer(arguments)
                            raw.environment = UnsafePointer(environment)
                            raw.working_directory = folder
                            raw.input = request.input?.number ?? -1
                            raw.output = request.output?.number ?? -1
                            raw.error = request.error?.number ?? -1
                            raw.control = request.control?.number ?? -1
                            raw.parent_death_signal = request.parentDeathSignal
                            raw.open_files = UInt64(clamping: request.nofile ?? 0)
                            raw.memory = UInt64(clamping: request.memory ?? 0)
                            raw.has_oom_score = request.oomScoreAdj == nil ? 0 : 1
                            raw.oom_score = Int32(clamping: max(-1000, min(1000, request.oomScoreAdj ?? 0)))
                            return cf_spawn(&raw, &spawned)
                        }
                    }
                }
            }
        }
        guard result == 0 else { throw failure(spawned, request) }
        return SpawnedProcess(pid: spawned.pid, handle: spawned.pidfd >= 0 ? Descriptor(spawned.pidfd) : nil)
    }

    private static func failure(_ spawned: cf_spawned, _ request: SpawnRequest) -> SpawnFailure {
        let error = String(cString: strerror(spawned.error))
        let program = request.command[0]
        switch spawned.stage {
        case CF_SPAWN_STAGE_EXEC where spawned.error == ENOENT:
            // The kernel says the same of a program that is there and of its interpreter that is not.
            let found = candidates(program, path: request.environment["PATH"]).contains { path in
                let isRelative = !path.hasPrefix("/")
                return access(isRelative ? "\(request.workingDirectory ?? ".")/\(path)" : path, F_OK) == 0
            }
            let reason =
                found ? "cannot execute \(program): its interpreter is missing" : "command not found: \(program)"
            return SpawnFailure(code: 127, reason: reason)
        case CF_SPAWN_STAGE_EXEC:
            return SpawnFailure(code: 126, reason: "cannot execute \(program): \(error)")
        case CF_SPAWN_STAGE_WORKING_DIRECTORY:
            return SpawnFailure(code: 126, reason: "cannot enter \(request.workingDirectory ?? ""): \(error)")
        case CF_SPAWN_STAGE_LIMITS:
            return SpawnFailure(code: 126, reason: "cannot set the resource limits: \(error)")
        case CF_SPAWN_STAGE_OOM_SCORE:
            return SpawnFailure(code: 126, reason: "cannot set oom_score_adj: \(error)")
        default: return SpawnFailure(code: 126, reason: "cannot start a process: \(error)")
        }
    }

    /// The paths at which a program may lie, in the order to try them.
    package static func candidates(_ program: String, path: String?) -> [String] {
        if program.contains("/") { return [program] }
        let path = path ?? "/usr/local/bin:/usr/bin:/bin"
        // An empty part means the working folder (POSIX, XBD 8.3).
        return path.split(separator: ":", omittingEmptySubsequences: false).map { folder in
            folder.isEmpty ? "./\(program)" : "\(folder)/\(program)"
        }
    }
}

/// An array of C strings ended by NULL, for as long as the body runs.
private func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}

private func withCString<Result>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let string else { return body(nil) }
    return string.withCString { body($0) }
}
