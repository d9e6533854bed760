import ArgumentParser
import Model
import PipelineFile
import Workers

/// A time on the command line: `2026-11-22`, `2026-11-22T10:00:00Z`, or how long ago (`30m`, `2h`, `7d`).
struct Moment: ExpressibleByArgument, Sendable {
    let instant: Timestamp

    init?(argument: String) {
        if let instant = Timestamp(iso8601: argument) {
            self.instant = instant
            return
        }
        let days =
            argument.hasSuffix("d") ? Int64(argument.dropLast()).flatMap { (0...36_500).contains($0) ? $0 : nil } : nil
        guard let age = days.map({ Duration.seconds($0 * 86_400) }) ?? Duration(written: argument) else { return nil }
        instant = Timestamp(microseconds: Timestamp.now.microseconds - age.components.seconds * 1_000_000)
    }

    static let help = "2026-11-22, 2026-11-22T10:00:00Z, or how long ago: 30m, 2h, 7d"
}
