import ArgumentParser
import Foundation
import Messaging
import Model
import PipelineFile
import Synchronization
import Workers

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Puts messages from files into the running pipeline, as if they had been fetched.",
        discussion: """
            Two kinds of file are read: JSON lines, one Discord message each, and the JSON of DiscordChatExporter.

            Examples:
              chaffinch import history.jsonl
              chaffinch import exports/*.json

            What is stored already changes nothing, so a file may be imported again. Killed, an import goes on where it
            was when it is started again with the same files. What is no message is reported as file:line and passed
            over; the exit code is then 1.
            """
    )

    @OptionGroup var options: ConfigOption

    @Argument(help: "The files.")
    var files: [String]

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    /// What is kept in the data folder while it runs.
    private struct State: Codable, Sendable {
        var files: [FileIdentity]
        var position: MessageImport.Position
    }

    /// Further mistakes are counted only: a file of another kind must not fill the screen.
    private static let shownProblems = 100

    func run() throws {
        let identities = try files.map { try FileIdentity($0) }
        let site = try Site(options, needing: [.brokerURL])
        let kept = try PositionFile<State>(dataFolder: site.pipeline.dataFolder, name: "import")
        var start = MessageImport.Position()
        if let left = kept.load(), left.files == identities {
            start = left.position
            Terminal.error("going on with this import after \(counted(start.report.imported, "message"))")
        }
        let begun = start
        let progress = WorkProgress()
        let sizes = identities.map(\.size)
        let total = max(1, sizes.reduce(0, +))
        let shown = Shown()
        let files = files
        let report = try waiting {
            let publisher = try await site.publisher(for: "import")
            let importing = MessageImport(
                publishing: OperatorPublishing(publisher: publisher),
                topology: site.topology,
                pipeline: site.pipeline.name,
                channels: Set(site.pipeline.channels.map(\.id))
            )
            let report = try await importing.run(
                files,
                from: begun,
                problem: { sentence in
                    if shown.next() <= Self.shownProblems { progress.note(sentence) }
                },
                waiting: { progress.note("the queue is full; waiting for room") },
                progress: { position in
                    try kept.save(State(files: identities, position: position))
                    let done = sizes.prefix(position.file).reduce(0, +) + position.offset
                    progress.show("\(grouped(position.report.imported)) imported, \(done * 100 / total) %")
                }
            )
            await publisher.close()
            return report
        }
        progress.finish()
        kept.remove()
        show(report)
        if report.bad > 0 { throw CommandFailure(ExitCode.failed) }
    }

    private func show(_ report: MessageImport.Report) {
        if json {
            var writer = JSONWriter()
            writer.object { writer in
                writer.numbers([("imported", report.imported), ("ignored", report.ignored), ("bad", report.bad)])
                writer.key("other_channels")
                writer.object { writer in
                    for (id, count) in report.otherChannels.sorted(by: { $0.key < $1.key }) {
                        writer.numbers([(id, count)])
                    }
                }
            }
            return Terminal.output(writer.text)
        }
        var text = "\(counted(report.imported, "message")) imported"
        if report.ignored > 0 { text += ", \(counted(report.ignored, "system message")) passed over" }
        if report.bad > 0 { text += ", \(grouped(report.bad)) could not be read" }
        Terminal.output(text)
        for (id, count) in report.otherChannels.sorted(by: { $0.key < $1.key }) {
            Terminal.error(
                "channel \(id) is not in pipeline.yaml: \(counted(count, "message")); rules for named channels do not see them"
            )
        }
    }
}

/// Which file it is: one that was written since is another.
private struct FileIdentity: Codable, Equatable, Sendable {
    var path: String
    var size: Int
    var modified: Int

    init(_ path: String) throws {
        self.path = URL(fileURLWithPath: path).standardizedFileURL.path
        var status = stat()
        guard stat(self.path, &status) == 0 else {
            throw CommandFailure(ExitCode.usage, "\(path): \(String(cString: strerror(errno)).lowercased())")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw CommandFailure(ExitCode.usage, "\(path): not a file") }
        size = Int(status.st_size)
        modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    }
}

/// Counts mistakes over the tasks that report them.
private final class Shown: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
