import ArgumentParser
import Model

/// `discord-simulator record bulk`.
struct RecordBulk: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulk",
        abstract: "Makes many messages for benchmarks: one in five is a signal with three stops."
    )

    @Option(help: "The file to write.")
    var output: String

    @Option(help: "How many messages in all.")
    var messages = 50_000

    @Option(help: "Over how many channels they are spread, in turn.")
    var channels = 1

    @Option(help: "The same seed makes the same recording.")
    var seed: UInt64 = 7

    func validate() throws {
        guard messages >= 0, (1...1000).contains(channels) else {
            throw ValidationError("--messages must not be negative, and --channels must be 1 to 1000")
        }
    }

    func run() async throws {
        var writer = try RecordingWriter(path: output)
        var random = SeededGenerator(seed: seed)
        let ids = (0..<UInt64(channels)).map { 1_308_600_000_000_001_000 + $0 }
        for (place, id) in ids.enumerated() { try writer.add(channel: id, name: "bulk-\(place + 1)") }
        let author = RecordedMessage.Author(id: 208_600_000_000_000_201, name: "nightjar")
        for number in 0..<messages {
            // From 1 December 2024, one each 50 ms.
            let instant = Timestamp(microseconds: 1_733_011_200_000_000 + Int64(number) * 50_000)
            // By rounds of all channels, so that each channel has its share of signals.
            let isSignal = number / channels % 5 == 0
            let text =
                isSignal
                ? SignalTexts.plain(random.element(of: Instrument.crypto), using: &random)
                : random.element(of: ChatterTexts.talk)
            try writer.add(
                RecordedMessage(
                    id: writer.freshID(at: instant),
                    channelID: ids[number % channels],
                    guildID: RecordingWriter.guildID,
                    author: author,
                    content: text,
                    sentAt: instant
                ),
                isSignal: isSignal
            )
        }
        try writer.finish()
    }
}
