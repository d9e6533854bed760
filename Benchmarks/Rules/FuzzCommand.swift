import ArgumentParser
import Foundation
import Model
import Rules

/// Feeds broken texts and broken rule files to the rules, and looks for crashes, hangs, and breaches of what they promise.
///
/// The work is done in a child process, since a crash ends it; every execution has its number, from which alone it can
/// be done again.
struct FuzzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "fuzz", abstract: "Seeded mutations of texts and rules.")

    @Option var root = "."
    @Option var data: String?
    @Option var seed: UInt64 = 1
    @Option var seconds = 60.0
    /// Only this execution, here and now.
    @Option var only: Int?
    /// The child's: the file of its progress, and where to start.
    @Option var state: String?
    @Option var from = 0

    /// An execution that shows nothing for so long hangs.
    private static let longest: Duration = .seconds(20)

    func run() throws {
        if let only {
            var fuzzer = try Fuzzer(corpus: Corpus(root: root, data: data), seed: seed)
            fuzzer.execute(only)
            print(fuzzer.progress.summary)
            print("message \(fuzzer.progress.slowestMessage): \(fuzzer.progress.slowestText.debugDescription.prefix(2000))")
            return
        }
        if let state { return try work(state) }
        try watch()
    }

    private func work(_ state: String) throws {
        var fuzzer = try Fuzzer(corpus: Corpus(root: root, data: data), seed: seed)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: state))
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        var number = from
        while clock.now < end {
            // Before it is done: what stands there when the process dies is at fault.
            try file.seek(toOffset: 0)
            file.write(Data(fuzzer.progress.line(number)))
            fuzzer.execute(number)
            number += 1
        }
        try file.seek(toOffset: 0)
        file.write(Data(fuzzer.progress.line(number)))
    }

    private func watch() throws {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        var total = Progress()
        var from = 0
        let path = NSTemporaryDirectory() + "rules-fuzz-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: path) }
        while clock.now < end {
            guard FileManager.default.createFile(atPath: path, contents: nil) else { throw ExitCode(70) }
            let child = Process()
            child.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
            let rest = max(1, (end - clock.now) / .seconds(1))
            child.arguments = ["fuzz", "--root", root, "--seed", "\(seed)", "--seconds", "\(rest)", "--state", path]
                + ["--from", "\(from)"] + (data.map { ["--data", $0] } ?? [])
            try child.run()
            var last = -1
            var moved = clock.now
            var shown = clock.now
            var hangs = false
            while child.isRunning {
                Thread.sleep(forTimeInterval: 0.5)
                let now = Progress.read(path)
                if now.number != last { (last, moved) = (now.number, clock.now) }
                if clock.now - shown > .seconds(30) {
                    shown = clock.now
                    FileHandle.standardError.write(Data("\(total.adding(now.progress).summary)\n".utf8))
                }
                guard clock.now - moved > Self.longest else { continue }
                hangs = true
                kill(child.processIdentifier, SIGKILL)
                child.waitUntilExit()
            }
            child.waitUntilExit()
            let ended = Progress.read(path)
            total = total.adding(ended.progress)
            guard child.terminationReason == .uncaughtSignal || child.terminationStatus != 0 else { break }
            if hangs { total.hangs += 1 } else { total.crashes += 1 }
            print("execution \(ended.number) of seed \(seed) \(hangs ? "hangs" : "crashes"); --only \(ended.number) does it again")
            from = ended.number + 1
        }
        print(total.summary)
        if total.crashes + total.hangs + total.breaches > 0 { throw ExitCode(1) }
    }
}
