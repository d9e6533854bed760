import ArgumentParser
import Model

/// `discord-simulator record demo`.
struct RecordDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Makes a small trading community: three channels, signals of many shapes, and much talk."
    )

    @Option(help: "The file to write.")
    var output: String

    @Option(help: "How many messages, spread over the ten weeks from 2024-12-01.")
    var messages = 600

    @Option(help: "The same seed makes the same recording.")
    var seed: UInt64 = 7

    func validate() throws {
        guard messages >= 1 else { throw ValidationError("--messages must be at least 1") }
    }

    func run() async throws {
        var writer = try RecordingWriter(path: output)
        var community = DemoCommunity(seed: seed)
        for room in DemoCommunity.rooms { try writer.add(channel: room.id, name: room.name) }
        // 1 December 2024, and ten weeks.
        let start: Int64 = 1_733_011_200_000_000
        let step = 70 * 86_400 * 1_000_000 / Int64(messages)
        for number in 0..<messages {
            let jitter = Int64(community.random.integer(in: 0...999_999)) * step / 1_000_000
            let microseconds = start + Int64(number) * step + jitter
            // A message is sent when its id is made, which is known to the millisecond.
            let instant = Timestamp(microseconds: microseconds - microseconds % 1000)
            let made = community.message(at: instant, id: writer.freshID(at: instant))
            try writer.add(made.message, isSignal: made.isSignal)
        }
        try writer.finish()
    }
}

/// The people of the demo, and what they say.
struct DemoCommunity {
    struct Room {
        var id: UInt64
        var name: String
        var instruments: [Instrument]
        /// One message in so many is a signal.
        var signalEvery: Int
        var analyst: RecordedMessage.Author
    }

    static let rooms = [
        Room(
            id: 1_308_600_000_000_000_101,
            name: "crypto-signals",
            instruments: Instrument.crypto,
            signalEvery: 2,
            analyst: RecordedMessage.Author(id: 208_600_000_000_000_201, name: "nightjar")
        ),
        Room(
            id: 1_308_600_000_000_000_102,
            name: "gold-desk",
            instruments: Instrument.metalsAndCurrencies,
            signalEvery: 2,
            analyst: RecordedMessage.Author(id: 208_600_000_000_000_202, name: "goldcrest")
        ),
        Room(
            id: 1_308_600_000_000_000_103,
            name: "trading-floor",
            instruments: Instrument.crypto,
            signalEvery: 6,
            analyst: RecordedMessage.Author(id: 208_600_000_000_000_203, name: "siskin")
        ),
    ]

    private static let members = ["wren", "dunnock", "linnet", "brambling", "serin", "twite"].enumerated().map {
        RecordedMessage.Author(id: 208_600_000_000_000_300 + UInt64($0.offset), name: $0.element)
    }
    private static let bot = RecordedMessage.Author(id: 208_600_000_000_000_400, name: "Price Alerts", isBot: true)

    var random: SeededGenerator
    /// The latest message of each room, for replies.
    private var latest: [UInt64: RecordedMessage.Referenced] = [:]

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    /// The next message of the community.
    mutating func message(at instant: Timestamp, id: UInt64) -> (message: RecordedMessage, isSignal: Bool) {
        let room = random.element(of: Self.rooms)
        var message = RecordedMessage(
            id: id,
            channelID: room.id,
            guildID: RecordingWriter.guildID,
            author: random.element(of: Self.members),
            content: "",
            sentAt: instant
        )
        let isSignal = random.once(in: room.signalEvery)
        if isSignal {
            makeSignal(&message, in: room)
        } else {
            makeTalk(&message, in: room)
        }
        if message.isIngestible, message.repliesTo == nil, message.forwarded == nil {
            latest[room.id] = RecordedMessage.Referenced(id: id, line: message.line())
        }
        return (message, isSignal)
    }

    private mutating func makeSignal(_ message: inout RecordedMessage, in room: Room) {
        let text = SignalTexts.any(of: room.instruments, using: &random)
        message.author = room.analyst
        message.content = text
        switch random.integer(in: 0...19) {
        case 0, 1:
            // The text is the corrected one, as history shows edits.
            let later = Int64(random.integer(in: 20...900)) * 1_000_000
            message.editedAt = Timestamp(microseconds: message.sentAt.microseconds + later)
        case 2:
            message.author = Self.bot
            message.content = ""
            message.embeds = Self.embed(description: text)
        case 3: message.forwarded = text
        case 4: message.content = text + "\n\n" + random.element(of: ["@everyone", "Not financial advice.", "🔥🔥🔥"])
        default: break
        }
    }

    private mutating func makeTalk(_ message: inout RecordedMessage, in room: Room) {
        switch random.integer(in: 0...19) {
        case 0: message.type = 7
        case 1: message.type = 8
        case 2...6:
            message.content = random.element(of: ChatterTexts.replies)
            guard let latest = latest[room.id] else { return }
            message.type = 19
            message.repliesTo = latest
        case 7:
            message.author = Self.bot
            message.embeds = Self.embed(description: priceAlert(in: room))
        case 8, 9: message.content = random.element(of: ChatterTexts.nearSignals)
        default: message.content = random.element(of: ChatterTexts.talk)
        }
    }

    private mutating func priceAlert(in room: Room) -> String {
        let instrument = random.element(of: room.instruments)
        return "\(instrument.name) crossed \(instrument.groupedText(instrument.price))"
    }

    private static func embed(description: String) -> String {
        var text = JSONWriter()
        text.value(description)
        return """
            [{"type":"rich","title":"Desk","description":\(text.text),"color":3447003,"content_scan_version":0}]
            """
    }
}
