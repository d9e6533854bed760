internal import Glibc
internal import Model
internal import Processes

/// Watches the user's files, has them checked, and hands over what came of it. Driven by the supervisor's loop.
final class Reloader {
    /// What came of a check, with the number of the reload.
    typealias Numbered = (number: Int, outcome: Outcome)

    enum Outcome {
        case found(ReloadSource.Finding)
        /// No finding: the check itself failed.
        case failed(String)
    }

    /// By how many microseconds a file system's clock may be behind the system's: a tick of the kernel's timer.
    private static let clockTick: Int64 = 20_000

    private let source: ReloadSource
    private let watcher: FileWatcher
    private let logs: LogReader
    private(set) var timing = ReloadTiming()
    private var check: CheckProcess?
    private var hasReported = false
    private var outcomes: [Numbered] = []

    init(_ source: ReloadSource, logs: LogReader, at now: Duration) {
        self.source = source
        self.logs = logs
        watcher = FileWatcher(source.watched, at: now)
        if let begin = source.checkedSince, watcher.lastChange.microseconds >= begin.microseconds - Self.clockTick {
            timing.filesChanged(at: now)
        }
    }

    var polled: [pollfd] { [watcher.polled, check?.polled ?? pollfd(fd: -1, events: 0, revents: 0)] }

    var nextDeadline: Duration? { [watcher.nextDeadline, timing.nextDeadline].compactMap { $0 }.min() }

    /// - Returns: the number of the reload that will have seen the files as they are now.
    func ask(at now: Duration) -> Int {
        _ = watcher.hasChanged(at: now)
        timing.asked(at: now)
        return timing.nextNumber
    }

    /// Does what is due.
    ///
    /// - Parameter inUse: the generations that some child works by.
    /// - Returns: checks that are over and count.
    func advance(at now: Duration, inUse: () -> [Int]) -> [Numbered] {
        if watcher.hasChanged(at: now) { timing.filesChanged(at: now) }
        for message in check?.receive() ?? [] { heard(message, now) }
        if let action = timing.tick(at: now) { perform(action, inUse) }
        defer { outcomes = [] }
        return outcomes
    }

    /// A process was reaped that is no child of the tree.
    ///
    /// - Returns: whether it was the check.
    func ended(pid: Int32, _ status: ExitStatus, at now: Duration) -> Bool {
        guard let ended = check, ended.pid == pid else { return false }
        for message in check?.receive() ?? [] { heard(message, now) }
        logs.processEnded(pid: pid)
        check = nil
        if timing.checkEnded(), !hasReported {
            found(.failed("the check of the files \(status) before it was done"))
        }
        return true
    }

    /// From now on these files are watched.
    func follow(_ paths: WatchedPaths) { watcher.follow(paths) }

    func withdraw(_ generation: Int) { source.withdraw(generation) }

    /// Ends what is under way; it is reaped with the orphans.
    func close() { check?.kill() }

    private func heard(_ message: CheckProcess.Message, _ now: Duration) {
        switch message {
        case .checked:
            // An edit that came before this moment was not seen by the check, or was: it does not matter which.
            if watcher.hasChanged(at: now) { timing.filesChanged(at: now) }
            if let action = timing.checked(at: now) { perform(action, { [] }) }
        case .failed(let reason):
            guard !hasReported else { return }
            hasReported = true
            found(.failed(reason))
        case .report(let report):
            guard !hasReported else { return }
            hasReported = true
            do {
                found(.found(try source.read(report)))
            } catch {
                found(.failed("\(error)"))
            }
        }
    }

    private func perform(_ action: ReloadTiming.Action, _ inUse: () -> [Int]) {
        switch action {
        case .startCheck: start(inUse())
        case .accept: check?.accept()
        case .giveUp(let reason):
            hasReported = true
            check?.kill()
            if let reason { found(.failed(reason)) }
        }
    }

    private func start(_ inUse: [Int]) {
        hasReported = false
        do {
            check = try CheckProcess.start(source.command(inUse), environment: source.environment, logs: logs)
        } catch {
            let reason = (error as? SpawnFailure)?.reason ?? "\(error)"
            if timing.checkEnded() { found(.failed("the files cannot be checked: \(reason)")) }
        }
    }

    /// One check is under way at a time, so the last that counts is this one.
    private func found(_ outcome: Outcome) { outcomes.append((timing.count, outcome)) }
}
