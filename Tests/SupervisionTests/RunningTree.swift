import Foundation
import Model
import Supervision
import Synchronization

/// A supervisor in a process of its own, with its log read as it is written.
final class RunningTree: Sendable {
    /// A line of the log.
    struct Line: Sendable {
        var message: String
        var level: String
        var worker: String
        /// What a line of the supervisor's own is about.
        var child: String?
        var pid: Int32?
        var raw: String

        init?(_ raw: String) {
            guard let document = try? JSONDocument(raw) else { return nil }
            let root = document.root
            message = root["message"]?.string ?? ""
            level = root["level"]?.string ?? ""
            worker = root["worker"]?.string ?? ""
            child = root["child"]?.string
            pid = root["pid"]?.integer.map { Int32($0) }
            self.raw = raw
        }
    }

    struct Ended: Error, CustomStringConvertible {
        var description: String
    }

    fileprivate struct Waiter {
        var matches: @Sendable (Line) -> Bool
        var resume: CheckedContinuation<Line, any Error>
    }

    /// What the threads that watch the process share with the tests.
    fileprivate final class Watch: Sendable {
        let state = Mutex(State())
    }

    fileprivate struct State {
        var lines: [Line] = []
        var ended = false
        var exitCode: Int32?
        var waiters: [Waiter] = []
        var exitWaiters: [CheckedContinuation<Int32, Never>] = []
        /// The process has ended and its log was read to the end.
        var isOver: Bool { ended && exitCode != nil }
    }

    let folder: URL
    let pid: Int32
    private let watch = Watch()
    private let log = Pipe()

    var socket: String { folder.appendingPathComponent("data/control").path }
    var lines: [Line] { watch.state.withLock { $0.lines } }

    /// A new folder for a tree; the caller's files may go there before the tree starts.
    static func makeFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("supervision-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// - Parameters:
    ///   - wrapper: a command to run the supervisor under, such as `unshare`.
    ///   - reloadable: whether it takes over what ``write(_:generation:)`` writes.
    ///   - checkedSince: when the tree was read, as far as it is told; in microseconds since 1970.
    ///   - reading: whether the log is read from the start.
    init(
        _ children: [ChildSpecification],
        stopTimeout: Duration = .seconds(8),
        in folder: URL? = nil,
        wrapper: [String] = [],
        reloadable: Bool = false,
        checkedSince: Int64? = nil,
        reading: Bool = true
    ) throws {
        let folder = try folder ?? Self.makeFolder()
        self.folder = folder
        let tree = Self.tree(children, stopTimeout: stopTimeout, in: folder)
        let file = folder.appendingPathComponent("tree-\(UUID().uuidString).json")
        try JSONEncoder().encode(tree).write(to: file)

        let host = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("supervision-host").path
        let command =
            wrapper + [host, file.path] + (reloadable ? [folder.appendingPathComponent("next.json").path] : [])
            + (checkedSince.map { [String($0)] } ?? [])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardError = log
        process.standardInput = FileHandle.nullDevice
        try process.run()
        pid = process.processIdentifier
        if reading { readLog() }
        let waiter = Thread { [watch] in
            process.waitUntilExit()
            let status = process.terminationStatus
            watch.finished(process.terminationReason == .exit ? status : 128 + status)
        }
        waiter.start()
        // Whatever a test waits for in vain fails with the log so far.
        let watchdog = Thread { [watch, pid] in
            Thread.sleep(forTimeInterval: 150)
            if watch.state.withLock({ $0.exitCode == nil }) { kill(pid, SIGKILL) }
        }
        watchdog.start()
    }

    private static func tree(
        _ children: [ChildSpecification],
        generation: Int = 3,
        stopTimeout: Duration = .seconds(8),
        log: LogSettings = LogSettings(format: .json, level: .debug),
        in folder: URL
    ) -> TreeSpecification {
        TreeSpecification(
            name: "test",
            generation: generation,
            children: children,
            stopTimeout: stopTimeout,
            statusSocket: folder.appendingPathComponent("data/control").path,
            log: log
        )
    }

    /// Writes the tree that is to be taken over, by rename.
    func write(
        _ children: [ChildSpecification],
        generation: Int = 4,
        log: LogSettings = LogSettings(format: .json, level: .debug)
    ) throws {
        try Self.write(children, generation: generation, log: log, in: folder)
    }

    static func write(
        _ children: [ChildSpecification],
        generation: Int = 4,
        log: LogSettings = LogSettings(format: .json, level: .debug),
        in folder: URL
    ) throws {
        let data = try JSONEncoder().encode(tree(children, generation: generation, log: log, in: folder))
        try data.write(to: folder.appendingPathComponent("next.json"), options: .atomic)
    }

    /// Begins to read the log, where that was put off.
    func readLog() {
        let reader = Thread { [watch, log] in watch.read(log.fileHandleForReading) }
        reader.start()
    }

    deinit {
        if watch.state.withLock({ $0.exitCode == nil }) { kill(pid, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    /// The first line, written already or yet to come, that fits.
    @discardableResult
    func line(_ matches: @escaping @Sendable (Line) -> Bool) async throws -> Line {
        try await withCheckedThrowingContinuation { continuation in
            let known: Result<Line, any Error>? = watch.state.withLock { state in
                if let line = state.lines.first(where: matches) { return .success(line) }
                if state.ended { return .failure(Watch.nothingMore(state)) }
                state.waiters.append(Waiter(matches: matches, resume: continuation))
                return nil
            }
            if let known { continuation.resume(with: known) }
        }
    }

    /// The supervisor says something about a child.
    @discardableResult
    func said(_ message: String, _ child: String? = nil) async throws -> Line {
        try await line { $0.worker == "supervisor" && $0.message == message && (child == nil || $0.child == child) }
    }

    /// A child prints a line that starts so.
    @discardableResult
    func printed(_ start: String, by worker: String? = nil) async throws -> Line {
        try await line { $0.worker != "supervisor" && $0.message.hasPrefix(start) && $0.worker == worker ?? $0.worker }
    }

    func signal(_ signal: Int32) {
        kill(pid, signal)
    }

    /// Asks it to stop and waits for its exit code and the end of its log.
    func stop() async -> Int32 {
        signal(SIGTERM)
        return await exitCode()
    }

    func exitCode() async -> Int32 {
        await withCheckedContinuation { continuation in
            let code: Int32? = watch.state.withLock { state in
                if !state.isOver { state.exitWaiters.append(continuation) }
                return state.isOver ? state.exitCode : nil
            }
            if let code { continuation.resume(returning: code) }
        }
    }

    func status() throws -> JSONDocument {
        try JSONDocument(StatusClient.request(socket: socket, #"{"type":"status"}"#))
    }

    /// What an operator may ask for.
    func request(_ type: String, _ worker: String? = nil) throws -> JSONDocument {
        let worker = worker.map { #","worker":"\#($0)""# } ?? ""
        return try JSONDocument(StatusClient.request(socket: socket, #"{"type":"\#(type)"\#(worker)}"#))
    }

    /// One replica of the status.
    func worker(_ name: String, _ replica: Int64 = 1) throws -> JSONView? {
        try status().root["workers"]?.elements.first {
            $0["name"]?.string == name && $0["replica"]?.integer == replica
        }
    }
}

extension RunningTree.Watch {
    func read(_ handle: FileHandle) {
        var partial = Data()
        while true {
            let data = handle.availableData
            if data.isEmpty { break }
            partial += data
            while let end = partial.firstIndex(of: UInt8(ascii: "\n")) {
                add(String(decoding: partial[partial.startIndex..<end], as: UTF8.self))
                partial = Data(partial[(end + 1)...])
            }
        }
        let waiters = state.withLock { state in
            state.ended = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume.resume(throwing: state.withLock { Self.nothingMore($0) }) }
        tellIfOver()
    }

    func add(_ raw: String) {
        guard let line = RunningTree.Line(raw) else { return }
        let met = state.withLock { state in
            state.lines.append(line)
            defer { state.waiters.removeAll { $0.matches(line) } }
            return state.waiters.filter { $0.matches(line) }
        }
        for waiter in met { waiter.resume.resume(returning: line) }
    }

    func finished(_ code: Int32) {
        state.withLock { $0.exitCode = code }
        tellIfOver()
    }

    private func tellIfOver() {
        let (waiters, code) = state.withLock { state in
            guard state.isOver else { return ([CheckedContinuation<Int32, Never>](), Int32(0)) }
            defer { state.exitWaiters = [] }
            return (state.exitWaiters, state.exitCode!)
        }
        for waiter in waiters { waiter.resume(returning: code) }
    }

    static func nothingMore(_ state: RunningTree.State) -> RunningTree.Ended {
        RunningTree.Ended(
            description: "the supervisor ended without it:\n" + state.lines.map(\.raw).joined(separator: "\n")
        )
    }
}

/// Waits for what no event tells of, such as a process that vanishes; false after a minute and a half.
func eventually(_ condition: () throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(90)
    while try !met(condition) {
        guard ContinuousClock.now < deadline else { return false }
        try await Task.sleep(for: .milliseconds(5))
    }
    return true
}

/// A supervisor that does not answer yet is asked again.
private func met(_ condition: () throws -> Bool) throws -> Bool {
    do {
        return try condition()
    } catch let error as SupervisionError where error.code == .unavailable {
        return false
    }
}

func exists(_ pid: Int32) -> Bool { kill(pid, 0) == 0 }
